"""What two or more domains share: tables, estimators, networks, export, attribution."""
