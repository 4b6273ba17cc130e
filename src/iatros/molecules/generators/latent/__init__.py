"""Latent spaces: networks that read compounds into vectors and write them from there."""
