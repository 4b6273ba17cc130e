"""The models of the next medications, one file each."""
