"""Responses: who took what, and how it went; the matrix of subjects and treatments."""
