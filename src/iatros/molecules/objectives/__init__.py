"""Objectives: what a new compound is wanted to be, as named parts that a chemist can read and write."""
