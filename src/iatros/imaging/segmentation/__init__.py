"""Segmentation: which voxels belong to a structure, how well that agrees with the truth, and what is written of it."""
