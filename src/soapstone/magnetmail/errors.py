"""Errors as the MagnetMail contract reports them inside its answers (mm-18 to mm-23)."""

from __future__ import annotations

from soapstone.errors import (
    ForbiddenError,
    InvalidError,
    MessageInQueueError,
    NameTakenError,
    NotFoundError,
    SoapstoneError,
)
from soapstone.magnetmail.types import Error
from soapstone.magnetmail.types import error as ErrorObject

INVALID_ARGUMENT = 9001
NOT_FOUND = 9002
ACCESS_DENIED = 9003
NAME_EXISTS = 9004
NOT_SUPPORTED = 9005
MESSAGE_IN_QUEUE = 9006
IMPORT_FAILED = 9007
INTERNAL_ERROR = 9099

# `error` of an answer whose particulars stand in errorObj (mm-21).
SEE_ERROR_OBJECT = 2

# Number → (code, what it says when asked for by number).
RECORDS: dict[int, tuple[str, str]] = {
    SEE_ERROR_OBJECT: ("SEE_ERROR_OBJECT", "The particulars stand in the errorObj of the answer."),
    1003: ("NO_EMAIL", "No e-mail address was given."),
    1005: ("RECIPIENT_EXISTS", "The recipient exists already."),
    INVALID_ARGUMENT: ("INVALID_ARGUMENT", "A value is missing or wrong."),
    NOT_FOUND: ("NOT_FOUND", "There is nothing of that number."),
    ACCESS_DENIED: ("ACCESS_DENIED", "The login lacks the permission."),
    NAME_EXISTS: ("NAME_EXISTS", "The name is taken."),
    NOT_SUPPORTED: ("NOT_SUPPORTED", "This is not supported."),
    MESSAGE_IN_QUEUE: ("MESSAGE_IN_QUEUE", "The message is waiting to be sent."),
    IMPORT_FAILED: ("IMPORT_FAILED", "The import ended without success."),
    INTERNAL_ERROR: ("INTERNAL_ERROR", "The server met an internal error."),
}


class NotSupportedError(InvalidError):
    """This server does not do that."""


NUMBERS: dict[type[Exception], int] = {
    InvalidError: INVALID_ARGUMENT,
    NotFoundError: NOT_FOUND,
    ForbiddenError: ACCESS_DENIED,
    NameTakenError: NAME_EXISTS,
    NotSupportedError: NOT_SUPPORTED,
    MessageInQueueError: MESSAGE_IN_QUEUE,
}


def number_of(error: SoapstoneError) -> int:
    """Return the number that an answer gives an error."""
    return next((NUMBERS[kind] for kind in type(error).__mro__ if kind in NUMBERS), INTERNAL_ERROR)


def no_error() -> Error:
    """Return the errorObj of success: empty strings and number 0 (mm-20)."""
    return Error(errorCode="", errorDetails="", errorMessage="", errorNumber=0, errorType="")


def error_object(number: int, sentence: str, *, component: str, function: str) -> Error:
    """Return the errorObj of a failure; errorDetails in the form seen on the wire (mm-19, mm-22)."""
    return Error(
        errorCode=RECORDS[number][0],
        errorDetails=f"Error Details:\nError Category:1Component:{component}\nFunction:{function}",
        errorMessage=sentence,
        errorNumber=number,
        errorType="CUSTOM",
    )


def lower_case(error: Error) -> ErrorObject:
    """Return the same error in the class that answers about recipients and messages declare."""
    return ErrorObject(**error.__dict__)


def error_record(number: int) -> Error:
    """Return the record of an error number (mm-23)."""
    if number == 0:
        return no_error()
    code, sentence = RECORDS.get(number, ("UNKNOWN_ERROR", "This error number is not known."))
    return Error(errorCode=code, errorDetails="", errorMessage=sentence, errorNumber=number, errorType="CUSTOM")
