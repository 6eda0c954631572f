"""The part of the control API that is about faults."""

from __future__ import annotations

from fastapi import APIRouter

from soapstone.api.problems import not_found
from soapstone.api.values import Number
from soapstone.testing.faults import FaultIn, FaultOut, Faults


def router(faults: Faults) -> APIRouter:
    """Return the part of the control API that is about faults."""
    api = APIRouter(prefix="/faults", tags=["faults"])

    @api.post("", status_code=201)
    def add_fault(wanted: FaultIn) -> FaultOut:
        """Let calls fail."""
        return faults.add(wanted)

    @api.get("")
    def list_faults() -> dict[str, list[FaultOut]]:
        """Return the faults, also those that are used up, the oldest first."""
        return {"faults": faults.all()}

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
