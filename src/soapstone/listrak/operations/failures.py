"""Operations that tell of business errors in their answer."""

from typing import Any

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Nillable, Struct

Failure = Nillable[t.WSException]


def fallible(request: type[Struct], summary: str, *, result: Any, deprecated: str = "") -> Operation:
    """Declare an operation with a by-reference WSException behind its result (lk-16)."""
    return Operation(request, summary, result=result, by_reference={"WSException": Failure}, deprecated=deprecated)
