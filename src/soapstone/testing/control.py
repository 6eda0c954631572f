"""The control API of a test server: what tests call to set it up and to ask what happened. Only on a test server."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Response

from soapstone.api.access import OwnPages
from soapstone.api.problems import RESPONSES, install
from soapstone.testing import clock
from soapstone.wire.origin import Origins

if TYPE_CHECKING:
    from soapstone.testing.server import TestServer

PREFIX = "/_test"


def control(server: TestServer) -> FastAPI:
    """The app; its description is at /_test/openapi.json."""
    app = FastAPI(
        title="Soapstone's test server",
        version=version("soapstone"),
        description="Set up a test server, steer it, and ask what happened. No credentials are needed.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=True,
    )
    for router in _routers(server):
        app.include_router(router, prefix=PREFIX, responses=RESPONSES)
    # Pages of other sites that a browser shows must not reach a server on this machine.
    app.add_middleware(OwnPages, origins=Origins(()))
    install(app)
    return app


def _routers(server: TestServer) -> list[APIRouter]:
    # T2: calls.router(server.calls), faults.router(server.faults), mails.router(server.mails).
    # T4: transitions.router(server.transitions).
    return [_records(server), clock.router(server.set_clock)]


def _records(server: TestServer) -> APIRouter:
    router = APIRouter(tags=["records"])

    @router.post("/reset", status_code=204, response_class=Response, summary="Go back to the seed")
    async def reset() -> None:
        """Bring back the records, calls, mails, clock, faults and transitions of the start.

        Calls under way are waited for two seconds, then broken off.
        """
        await server.go_back()

    return router
