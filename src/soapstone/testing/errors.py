"""What a test server refuses."""

from __future__ import annotations


class UnusableSeed(Exception):
    """A seed document cannot be used; the message says where and why. No records are made of it."""
