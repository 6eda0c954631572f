"""What the test forms of this contract's help pages hold when they are opened."""

from __future__ import annotations

from soapstone.wire.form import Prefill


def prefill(login: str = "", password: str = "") -> Prefill:
    """Return the credentials, where they are no secret; and the session that Authenticate opened last."""
    return Prefill(
        values={"Authenticate/username": login, "Authenticate/password": password},
        kept_from="Authenticate",
        kept={"sessionId": "mmAuthHeader/sessionId", "user_id": "mmAuthHeader/user_id"},
    )
