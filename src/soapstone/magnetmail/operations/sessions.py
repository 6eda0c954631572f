"""Logging on, the account, and error numbers."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Int, String, Struct


@operation(result=t.User | None)
class getUserDetails(Struct):
    """Tells what the account may do and which features it has."""

    user_id: String


@operation(result=t.Error | None, header=False)
class getErrorDetails(Struct):
    """Explains an error number, also to callers without a session."""

    error_nbr: Int


@operation(result=t.AuthenticationResult | None, header=False)
class Authenticate(Struct):
    """Takes a user name and a password and opens a session for the calls that follow."""

    username: String
    password: String
