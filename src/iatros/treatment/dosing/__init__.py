"""Dose: how much of a drug a patient will need, from what is known of the patient, with a conformal interval."""
