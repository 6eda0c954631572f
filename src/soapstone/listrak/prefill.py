"""What the test forms of this contract's help pages hold when they are opened."""

from __future__ import annotations

from soapstone.wire.form import Prefill


def prefill(login: str = "", password: str = "") -> Prefill:
    """Return the credentials, where they are no secret."""
    return Prefill(values={"WSUser/UserName": login, "WSUser/Password": password})
