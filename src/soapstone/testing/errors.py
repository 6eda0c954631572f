"""Errors of a test server."""

from __future__ import annotations

from soapstone.errors import ConflictError


class UnusableSeed(ConflictError):
    """A seed document cannot be used; the message says where and why. No records are made of it."""
