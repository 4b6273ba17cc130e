"""Tables of patients: read, typed, encoded, imputed, and the estimators that learn from them."""
