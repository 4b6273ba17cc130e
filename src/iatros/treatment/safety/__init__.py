"""Safety: what the knowledge that the user gave says against a treatment for this patient; it never sees a score."""
