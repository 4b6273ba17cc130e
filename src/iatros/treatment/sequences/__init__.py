"""Sequences: what is prescribed next, learned from visits in time by imitation of what was prescribed."""
