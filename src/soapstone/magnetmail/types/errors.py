"""Errors as answers carry them, and the answers of calls that store one object (mm-3, mm-18 to mm-22)."""

from soapstone.wire.types import Double, Nillable, String, Struct


class Error(Struct):
    """Particulars of an error; all strings empty and number 0 for none (mm-20)."""

    errorCode: String
    errorDetails: String
    errorMessage: String
    errorNumber: Nillable[Double]
    errorType: String


class error(Struct):
    """The same particulars in the answers of recipients and messages (mm-3)."""

    errorCode: String
    errorDetails: String
    errorMessage: String
    errorNumber: Nillable[Double]
    errorType: String


class SaveResult(Struct):
    """Answer of a call that stores one object."""

    error: Nillable[Double]
    errorObj: Error | None
    id: Nillable[Double]
    msg: String


# The number in `saveResult` hides the type of that name from the member after it.
_error = error


class saveResult(Struct):
    """The same answer for recipients, with the lower-case particulars (mm-3)."""

    error: Nillable[Double]
    errorObj: _error | None
    id: Nillable[Double]
    msg: String
