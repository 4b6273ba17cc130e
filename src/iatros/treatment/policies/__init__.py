"""Rules that say which arm a patient is given: learned from a cohort or given by the user, and what they are worth."""
