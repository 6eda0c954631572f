"""No request makes the server take a body without bounds: every route of every app is sent too much."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount

from soapstone.api import limits
from soapstone.api.app import rest as rest_app
from soapstone.body_limit import FORM_BYTES
from soapstone.http import draining
from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.product import Product
from soapstone.server import LISTRAK_PATH, Application
from soapstone.settings import Settings
from soapstone.store.database import Database

PIECE = bytes(64 * 1024)
# What a request is sent at most: more than any route may take of it.
SENT = 80 << 20
# What one request may hold in memory while it is refused, with what the test itself needs.
HELD = 4 << 20
MAX_UPLOAD = 4 << 20
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def inner(app: Any) -> Any:
    """The app with routes inside others that wrap it."""
    while not hasattr(app, "routes"):
        app = vars(app)["_app"]
    return app


def paths(routes: Sequence[BaseRoute]) -> Iterator[str]:
    for route in routes:
        nested: Any = getattr(route, "original_router", None) or (route.app if isinstance(route, Mount) else None)
        path = getattr(route, "path", "")
        if isinstance(route, Mount):
            yield f"{path}/console.css"
        elif nested is not None:
            yield from paths(nested.routes)
        else:
            yield re.sub(r"\{[^}]*\}", "1", path)


def every_path(app: Application) -> set[str]:
    contracts = [MAGNETMAIL.path.lower(), LISTRAK.path.lower()]
    assert LISTRAK.path.lower() == LISTRAK_PATH
    rest = [f"/api/v1{path.removeprefix('/api/v1')}" for path in paths(rest_app(app._product).routes)]
    pages = [path for each in (app._subscriber, app._console) for path in paths(inner(each).routes)]
    more = ["/xml/SendToList", "/xml/SendToFile", "/xml/Nothing", "/api/v1/nothing", "/nothing"]
    more += ["/healthz", "/readyz", "/metrics"]
    return {*contracts, *(f"{path}/Method" for path in contracts), *rest, *pages, *more}


@pytest.fixture(scope="module")
def app(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    path = tmp_path_factory.mktemp("bodies") / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    product = Product.open(Settings(data_dir=path.parent, max_upload_bytes=MAX_UPLOAD), database)
    account = product.accounts.create("ACME", time_zone="UTC")
    product.accounts.add_login(account, "ann", "long secret")
    made = Application(product)
    # It is made once, and then kept.
    Overlong(made, "GET", "/api/v1/openapi.json")
    yield made
    database.close()


class Overlong:
    """One request whose body has no end; `taken` are the bytes that the app took of it."""

    def __init__(self, app: Application, method: str, path: str, *headers: tuple[bytes, bytes]) -> None:
        self.taken = 0
        self.status = 0
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "scheme": "http",
            "headers": [(b"host", b"x"), *headers],
            "client": ("127.0.0.1", 4711),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        asyncio.run(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self.taken >= SENT:
            return {"type": "http.disconnect"}
        self.taken += len(PIECE)
        # A copy, as it comes from a socket.
        return {"type": "http.request", "body": bytearray(PIECE), "more_body": True}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)


MEDIA = {
    "json": b"application/json",
    "xml": b"text/xml",
    "form": b"application/x-www-form-urlencoded",
    "csv": b"text/csv",
}
LOGIN = b"Basic " + base64.b64encode(b"ann:long secret")


def bound_of(path: str) -> int:
    """What may be taken of a body at this path, kept or not."""
    if path.lower().startswith(("/mmapi", "/v31/", "/xml/")):
        return MAX_UPLOAD + (64 << 20)
    if path.startswith("/api/"):
        return (MAX_UPLOAD if limits.FILES.fullmatch(path) else limits.JSON_BYTES) + limits.DRAIN
    return FORM_BYTES


@pytest.mark.parametrize("known", [False, True])
def test_too_much_for_every_route(app: Application, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept beyond a small bound, and no more is taken than the route allows."""
    # Enough to notice when it is kept.
    monkeypatch.setattr(limits, "DRAIN", HELD + (2 << 20))
    monkeypatch.setattr(draining, "RATE", 1e12)
    found = every_path(app)
    assert len(found) > 80
    headers = ((b"authorization", LOGIN),) if known else ()
    tracemalloc.start()
    try:
        for path in sorted(found):
            for method in METHODS:
                media = MEDIA["csv"] if limits.FILES.fullmatch(path) else MEDIA["json" if "/api/" in path else "xml"]
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                asked = Overlong(app, method, path, (b"content-type", media), *headers)
                held = tracemalloc.get_traced_memory()[1] - before
                case = (method, path, asked.status, asked.taken, held)
                assert asked.status >= 200, case
                assert asked.taken <= bound_of(path) + len(PIECE), case
                assert held < HELD, case
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", ["/login", "/u/1", "/confirm/1", "/jobs/1/cancel"])
def test_an_announced_length_is_believed(app: Application, path: str) -> None:
    """Nothing at all is taken of a body that says it is too large."""
    asked = Overlong(app, "POST", path, (b"content-length", b"%d" % (FORM_BYTES + 1)))
    assert asked.taken == 0
    assert asked.status in (413, 404, 303, 200)
