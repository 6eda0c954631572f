"""Refusals: why a call is not carried out, as status, code and sentence (lk-89)."""

from __future__ import annotations


class Refused(Exception):
    """The call is refused. `sentence` comes without the code; `status` is that of the HTTP answer."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code

    @property
    def description(self) -> str:
        """The text as the SOAP side writes it (lk-11, lk-18)."""
        return f"[{self.code}] {self}"


def invalid(sentence: str, status: int = 400) -> Refused:
    """The request cannot be understood or does not hold what it should."""
    return Refused(status, "InvalidArgument", sentence)


def not_found(kind: str, number: int) -> Refused:
    """There is no such thing for this user (lk-18, lk-19)."""
    return Refused(404, "NotFound", f"{kind} {number} does not exist or is not accessible.")


def internal_error(
    status: int = 500, sentence: str = "The server met an internal error; its log has the details."
) -> Refused:
    """A fault of ours; the log has the details."""
    return Refused(status, "InternalError", sentence)
