"""`python -m soapstone`."""

from soapstone.cli import main

main()
