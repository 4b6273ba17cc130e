"""`python -m iatros`."""

from iatros.cli import main

main()
