"""Creating something with an `Idempotency-Key`: asked again, the same request has the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel

from soapstone.accounts.answers import AnotherRequest, Answer, StillRunning
from soapstone.api.access import Caller
from soapstone.api.problems import Refused

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


def created(
    caller: Caller, request: Request, key: str | None, content: bytes, make: Callable[[], BaseModel], status: int = 201
) -> Response:
    """Make something, or give the answer that the same request had. `content` is what tells requests apart.

    Raises Refused for a key of another request (422) and for one whose request is still being answered (409).
    """
    if key is None:
        return Response(make().model_dump_json(), status, media_type="application/json")
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode() + content)
    answers, login = caller.product.answers, caller.login
    try:
        before = answers.begin(login, key, digest.hexdigest())
    except AnotherRequest:
        raise Refused(422, "This idempotency key was used for another request.") from None
    except StillRunning:
        raise Refused(409, "A request with this idempotency key is still being answered.") from None
    if before is not None:
        return Response(before.body, before.status, {"Idempotent-Replayed": "true"}, "application/json")
    try:
        body = make().model_dump_json()
    except BaseException:
        # Nothing was made: the request may be made again.
        answers.end(login, key, None)
        raise
    answers.end(login, key, Answer(status, body))
    return Response(body, status, media_type="application/json")
