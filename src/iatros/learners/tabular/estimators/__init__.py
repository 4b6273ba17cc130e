"""The models that learn from a table: one file each, all fitted through `pipeline.fit_pipeline`."""
