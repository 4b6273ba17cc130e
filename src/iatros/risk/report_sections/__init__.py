"""The sections of the risk report, one file per subject; `iatros.risk.report` puts them in order."""
