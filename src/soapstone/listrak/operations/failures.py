"""Operations that tell of business errors in their answer."""

from collections.abc import Callable
from typing import Any

from soapstone.listrak import types as t
from soapstone.wire.contract import Request, operation
from soapstone.wire.types import Nillable

Failure = Nillable[t.WSException]


def fallible(*, result: Any, deprecated: str = "") -> Callable[[Request], Request]:
    """Declare a request class as an operation with a by-reference WSException behind its result (lk-16)."""
    return operation(result=result, by_reference={"WSException": Failure}, deprecated=deprecated)
