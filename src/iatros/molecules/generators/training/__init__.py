"""How generators learn: loops that go on after a kill, and what they keep on the way."""
