"""Treatment: which therapy, at which dose, for this patient, and is it safe with the rest?"""
