"""Chemical spaces: learned from a library, and what is written from them."""
