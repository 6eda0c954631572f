"""Sends by way of an SMTP server."""
