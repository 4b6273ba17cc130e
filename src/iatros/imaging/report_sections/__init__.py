"""The sections of the imaging report that other reports lack; `iatros.imaging.report` puts all of them in order."""
