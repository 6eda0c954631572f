"""Fixtures of tracking: the office of the sends."""

from tests.sending.conftest import office

__all__ = ["office"]
