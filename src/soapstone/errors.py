"""Errors of requests: the message is a sentence for the caller, and each interface translates them once."""

from __future__ import annotations


class SoapstoneError(Exception):
    """A request cannot be served; the message is a sentence for the caller."""


class InvalidError(SoapstoneError):
    """A given value is invalid."""


class NotFoundError(SoapstoneError):
    """The object does not exist, or is hidden from the caller."""


class ConflictError(SoapstoneError):
    """The present state forbids the request."""


class NameTakenError(ConflictError):
    """The name is taken."""


class MessageInQueueError(ConflictError):
    """The message is queued or being sent, and cannot change until the end (mm-97)."""


class ForbiddenError(SoapstoneError):
    """The caller lacks the permission."""


class UnavailableError(SoapstoneError):
    """The request cannot be served now; the caller may retry after `retry_seconds`."""

    retry_seconds: int
