"""How a line becomes a compound: chemistry, measurements, and the account of both."""
