"""Errors of what was asked for: the message is a sentence for whoever asked, and each face translates them once."""

from __future__ import annotations


class SoapstoneError(Exception):
    """What was asked for cannot be done; the message is a sentence for whoever asked."""


class InvalidError(SoapstoneError):
    """What was given cannot be used as it is."""


class NotFoundError(SoapstoneError):
    """What was named is not there, or not for the caller to see."""


class ConflictError(SoapstoneError):
    """What is there now stands in the way."""


class NameTakenError(ConflictError):
    """Something else has the name."""


class MessageInQueueError(ConflictError):
    """The message waits to be sent, or is being sent, and stays as it is until then (mm-97)."""


class ForbiddenError(SoapstoneError):
    """The caller lacks the permission."""


class UnavailableError(SoapstoneError):
    """It cannot be done at the moment, and may be tried again after `retry_seconds`."""

    retry_seconds: int
