"""The part of the control API that is about faults."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from soapstone.api.problems import not_found
from soapstone.api.values import Number
from soapstone.testing.called import Interface
from soapstone.testing.faults import Fault, FaultKind, Faults

MOST_SECONDS = 3600.0


class FaultIn(BaseModel):
    """Which calls fail, and how: every `every`-th matching call, `times` of them, or with null until removed.

    `operation` is the name of an operation of SOAP or XML, or of the REST description; null means any, of
    `interface` or of all. `seconds`: how late a delayed answer comes (2), or what Retry-After says (1), in whole
    seconds. `work_done` says whether the call's work is done anyway; null means the kind's default.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    kind: Annotated[FaultKind, Field(strict=False)]
    operation: Annotated[str | None, Field(max_length=100)] = None
    interface: Annotated[Interface | None, Field(strict=False)] = None
    every: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    times: Annotated[int, Field(ge=1, le=1_000_000)] | None = 1
    message: Annotated[str, Field(max_length=1000)] = ""
    seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS, strict=False)] | None = None
    work_done: bool | None = None


class FaultOut(FaultIn):
    """A fault: `calls` matched since its creation, `applied` of them failed."""

    number: int
    calls: int
    applied: int

    @classmethod
    def of(cls, fault: Fault) -> FaultOut:
        """Return the representation of a fault."""
        given = {name: getattr(fault.wanted, name) for name in FaultIn.model_fields}
        given |= {"seconds": fault.seconds, "work_done": fault.work_done}
        return cls(number=fault.number, calls=fault.calls, applied=fault.applied, **given)


def router(faults: Faults) -> APIRouter:
    """Return the part of the control API that is about faults."""
    api = APIRouter(prefix="/faults", tags=["faults"])

    @api.post("", status_code=201)
    def add_fault(wanted: FaultIn) -> FaultOut:
        """Let calls fail."""
        return FaultOut.of(faults.add(wanted))

    @api.get("")
    def list_faults() -> dict[str, list[FaultOut]]:
        """Return all faults, including used-up ones, oldest first."""
        return {"faults": [FaultOut.of(each) for each in faults.all()]}

    @api.delete("", status_code=204)
    def delete_faults() -> None:
        """Remove all faults."""
        faults.clear()

    @api.delete("/{number}", status_code=204)
    def delete_fault(number: Number) -> None:
        """Remove a fault."""
        if not faults.remove(number):
            raise not_found("fault")

    return api
