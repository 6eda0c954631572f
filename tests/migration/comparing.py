"""Comparing two accounts, and ending a migration where it hurts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RENUMBERED = {"ContactID", "ImportFileID", "LinkID", "MMId", "id", "linkid"}
# Logins are those of each server.
NOT_MOVED = {"loginid", "LoginId", "last_updated_loginid"}


class Killed(Exception):
    """The migration ends here, as by a kill."""


def kill_at(moment: int) -> Callable[[str], None]:
    """Return what kills a migration when it has stored so many things."""
    left = [moment]

    def count(_: str) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    return count


def kill_at_step(name: str) -> Callable[[str], None]:
    """Return what kills a migration when it begins a step."""

    def look(step: str) -> None:
        if step == name:
            raise Killed

    return look


def differences(there: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
    """Return the members that differ."""
    return {path: (there.get(path), here.get(path)) for path in there | here if there.get(path) != here.get(path)}


def members(told: Any, path: str = "") -> dict[str, Any]:
    """Return all members of answers by their path, but those that are renumbered."""
    if isinstance(told, dict):
        return {key: value for name, each in told.items() for key, value in members(each, f"{path}/{name}").items()}
    if isinstance(told, list):
        return {key: value for at, each in enumerate(told) for key, value in members(each, f"{path}/{at}").items()}
    if hasattr(told, "__dict__") and type(told).__module__.startswith(("soapstone.listrak", "soapstone.magnetmail")):
        kept = {name: value for name, value in vars(told).items() if name not in RENUMBERED | NOT_MOVED}
        return members(kept, path)
    return {path: told}
