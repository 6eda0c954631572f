"""Sends as files into the mail folder."""
