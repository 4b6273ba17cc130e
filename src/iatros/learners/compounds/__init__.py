"""Compounds as numbers: fingerprints, one exact Tanimoto kernel over them, an index on disk, clusters and picks."""
