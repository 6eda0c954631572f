"""`python -m soapstone`."""

from soapstone.cli import app

app()
