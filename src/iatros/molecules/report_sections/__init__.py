"""The sections of the report on a model of activity, one file per subject; `molecules.report` puts them in order."""
