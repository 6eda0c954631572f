"""Forms as browsers post them."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

# The largest form is the login.
MOST_FIELDS = 20


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form. Raises HTTPException 413 for a body that no form of the console has."""
    body = await request.body()
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(413) from None
