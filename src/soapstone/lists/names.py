"""Names that callers give to what they create."""

from __future__ import annotations

from soapstone.errors import InvalidError

LONGEST_NAME = 255


def checked_name(name: str, what: str) -> str:
    """Return the name of a `what`, such as "campaign", without surrounding white space.

    Raises InvalidError if it is missing or longer than LONGEST_NAME characters.
    """
    name = name.strip()
    if not name:
        raise InvalidError(f"The name of the {what} is missing.")
    if len(name) > LONGEST_NAME:
        raise InvalidError(f"The name of the {what} is longer than {LONGEST_NAME} characters.")
    return name
