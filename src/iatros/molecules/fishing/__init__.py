"""Target fishing: which proteins a compound is likely to act on, told from the ligands that are known of each."""
