"""A table of rows and columns with gaps, completed by kernels of both sides or by factors."""
