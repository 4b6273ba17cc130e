"""Compounds as texts and codes, as networks read and write them."""
