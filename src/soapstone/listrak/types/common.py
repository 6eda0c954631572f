"""What every call shares: the header, and the member for business errors."""

from soapstone.wire import types as wire
from soapstone.wire.types import Nillable, String, Struct


class WSUser(Struct, any_attribute=True):
    """Header of every call (lk-8)."""

    UserName: String
    Password: String


class WSException(Struct):
    """A business error inside an answer; nil on success (lk-14 to lk-16)."""

    SoapMethod: String
    DateTime: Nillable[wire.DateTime]
    Description: String
