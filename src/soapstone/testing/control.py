"""The control API, with which tests set up and inspect a test server. Only on a test server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.api.authentication import OwnPages
from soapstone.api.limits import Limited
from soapstone.api.problems import RESPONSES, ProblemError, answer, install
from soapstone.http.client_address import Origins, asks_for_loopback
from soapstone.loopback import is_loopback
from soapstone.testing.errors import UnusableSeed
from soapstone.testing.seed import Planted, Seed
from soapstone.testing.seed_document import LARGEST_DOCUMENT, parsed

PREFIX = "/_test"
# The path that takes documents as large as a seed file.
SEED = re.compile(f"{PREFIX}/seed")
# Media types of YAML documents (RFC 9512, and what was used before).
YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
JSON = (b"content-type", b"application/json")
OTHER_HOST = (
    "The control API is for http://127.0.0.1 and http://localhost. Other host names work on a server that was started "
    "with --test-on-any-address."
)

Keep = Annotated[bool, Query(description="A reset goes back to what is there then.")]


class Records(Protocol):
    """The operations on records that calls need."""

    async def go_back(self) -> None:
        """Go back to the seed."""

    async def add(self, seed: Seed, *, keep: bool) -> Planted:
        """Create the records of a seed. Raises UnusableSeed."""
        ...


def control(base: str, records: Records, *routers: APIRouter) -> FastAPI:
    """Return the app for the server at the URL `base`; its description is at /_test/openapi.json."""
    app = FastAPI(
        title="Soapstone's test server",
        version=version("soapstone"),
        description="Set up, control and inspect a test server. No credentials are needed.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=True,
    )
    for router in (_records(records), *routers):
        app.include_router(router, prefix=PREFIX, responses=RESPONSES)
    app.add_middleware(Limited, files=LARGEST_DOCUMENT, paths=SEED, admit=_admit_anybody)
    # Pages of other sites must not reach a server on this machine by a browser, whatever their names resolve to.
    app.add_middleware(OwnPages, origins=Origins(()))
    if is_loopback(urlsplit(base).hostname or ""):
        app.add_middleware(_Loopback)
    install(app)
    return app


async def _admit_anybody(scope: dict[str, Any]) -> None:
    """Admit any request: the control API has no credentials."""


def _records(records: Records) -> APIRouter:
    router = APIRouter(tags=["records"], route_class=_YamlTaken)

    @router.post("/reset", status_code=204, response_class=Response, summary="Go back to the seed")
    async def reset() -> None:
        """Restore records, calls, mails, clock, faults and transitions as at the start.

        Calls under way get two seconds to end.
        """
        await records.go_back()

    @router.post(
        "/seed",
        summary="Make records",
        openapi_extra={"requestBody": {"content": {"application/yaml": {"schema": {"type": "string"}}}}},
    )
    async def seed(document: Seed, keep: Keep = False) -> Planted:
        """Create accounts, logins, lists, contacts, messages and past jobs, in addition to existing records.

        Either all are created, or none. The document may be YAML with the same members.
        """
        return await records.add(document, keep=keep)

    return router


class _Loopback:
    """Admits only loopback host names, as another site's name may resolve to a loopback address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app if asks_for_loopback(scope) else answer(421, OTHER_HOST)
        await app(scope, receive, send)


class _YamlTaken(APIRoute):
    """A route that also takes YAML in place of JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def read(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in YAML:
                return await handle(request)
            body = await request.body()
            try:
                content = json.dumps(await run_in_threadpool(parsed, body), default=str).encode()
            except UnusableSeed as trouble:
                raise ProblemError(400, str(trouble)) from None

            async def receive() -> Message:
                return {"type": "http.request", "body": content}

            headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            return await handle(Request({**request.scope, "headers": [*headers, JSON]}, receive))

        return read
