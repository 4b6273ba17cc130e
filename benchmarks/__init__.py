"""What iatros claims, measured by commands that anyone can repeat."""
