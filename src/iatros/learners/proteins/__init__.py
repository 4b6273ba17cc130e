"""Protein sequences: read, checked, turned into numbers and compared."""
