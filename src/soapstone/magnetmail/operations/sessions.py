"""Logging on, the account, and error numbers."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Int, String, Struct


class getUserDetails(Struct):
    user_id: String


class getErrorDetails(Struct):
    error_nbr: Int


class Authenticate(Struct):
    username: String
    password: String


SESSION_OPERATIONS = (
    Operation(getUserDetails, "Tells what the account may do and which features it has.", result=t.User | None),
    Operation(
        getErrorDetails,
        "Explains an error number, also to callers without a session.",
        result=t.Error | None,
        header=False,
    ),
    Operation(
        Authenticate,
        "Takes a user name and a password and opens a session for the calls that follow.",
        result=t.AuthenticationResult | None,
        header=False,
    ),
)
