"""`soapstone serve --shadow`: the proxy with the pages of its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from soapstone.heap import limit_heap
from soapstone.http.client_address import Origins
from soapstone.listening import listen
from soapstone.server import serve
from soapstone.settings import Settings
from soapstone.shadow import half
from soapstone.shadow.feed import Feed
from soapstone.shadow.proxy import REPORT, Proxy
from soapstone.shadow.report import Report, as_page, as_text, decision, load
from soapstone.shadow.upstream import Address, Upstream
from soapstone.store import private
from soapstone.tls import tls_context


class Pages:
    """The report by HTTP: a page, text or JSON."""

    def __init__(self, folder: Path, live: str, feed: Feed) -> None:
        self._folder, self._live, self._feed = folder, live, feed

    def document(self) -> dict[str, Any]:
        """Return the report as our half last wrote it, with what this process passed on since it was started."""
        document = load(self._folder / half.REPORT) or Report(self._live).document
        feed = self._feed
        return document | {"proxy": {"passed": feed.passed, "waiting": feed.waiting, **feed.skipped}}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        document = await run_in_threadpool(self.document)
        form = str(scope["path"]).removeprefix(REPORT)
        if form == ".json":
            response: Response = Response(json.dumps(document, indent=2), media_type="application/json")
        elif form == ".txt":
            response = PlainTextResponse(as_text(document))
        else:
            policy = "default-src 'none'; style-src 'unsafe-inline'"
            response = HTMLResponse(as_page(document), headers={"Content-Security-Policy": policy})
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)


def shadow_app(
    folder: Path, live: str, record: Path | None = None, *, masks: bool = True, trusted: Sequence[str] = ()
) -> tuple[Proxy, Feed, Pages]:
    """Return the app of a shadow that keeps its files in a folder, and its parts. Raises InvalidError for the URL.

    `trusted` are proxies before it, as for Origins.
    """
    address = Address.of(live)
    private.make_folder(folder)
    feed = Feed(half.command(folder, str(address), record, masks=masks))
    pages = Pages(folder, str(address), feed)
    return Proxy(Upstream(address), feed, pages, Origins(trusted)), feed, pages


def serve_shadow(
    settings: Settings, host: str, port: int, live: str, record: Path | None, *, masks: bool = True
) -> None:
    """Serve until a signal ends it, then print the report's first line. Raises InvalidError and PortTaken."""
    limit_heap()
    # The live service has limits of its own, and nginx may come from one address for all clients.
    settings = settings.changed(max_connections_per_address=settings.max_connections)
    folder, trusted = settings.data_dir / "shadow", settings.trusted_proxies
    app, _, pages = shadow_app(folder, live, record, masks=masks, trusted=trusted)
    tls = tls_context(settings.tls_cert, settings.tls_key)
    with listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        base = f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}"

        def ready() -> None:
            print(
                f"\nSoapstone's shadow serves on {base}\n  Live service {live}\n  Report       {base}{REPORT}   "
                f"(also {REPORT}.txt and {REPORT}.json; from this machine)\n\nCtrl-C ends it.",
                flush=True,
            )

        try:
            serve(app, [listener], settings, ready=ready, tls=tls, date_header=False)
        finally:
            # A signal ends it by an exception.
            print(decision(pages.document()), flush=True)
