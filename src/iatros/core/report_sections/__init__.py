"""Sections that the report of any predictive model has, one file per subject; a domain's report puts them in order."""
