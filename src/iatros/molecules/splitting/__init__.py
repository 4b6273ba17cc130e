"""Which compounds, or pairs of a compound and a target, are kept apart from those that a model learns from."""
