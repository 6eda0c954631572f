"""The guard of every console answer: security headers, and no changes on behalf of another site."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.wire.origin import Origins

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# A page that shows a mail in a frame: the frame inherits this. Mails carry their style in attributes and show no image
# but those inside them; nothing is fetched from anywhere, so that looking at a mail tells nobody.
MAIL_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "img-src 'self'", "img-src 'self' data:"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers post our own forms with the Origin "null", which is refused below.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Wraps the console's app.

    `public_url` is where browsers see this server, when that is not what the request says. For those inside, the scope
    then holds `peer` (the caller's address, empty for none) and `https`, with trusted proxies taken into account.
    """

    def __init__(self, app: ASGIApp, *, public_url: str, trusted_proxies: Sequence[str]) -> None:
        self._app = app
        self._public = urlsplit(public_url)
        self._origins = Origins(trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        peer, base_url = self._origins.read(scope, dict(scope["headers"]))
        own = urlsplit(base_url)
        if scope["method"] not in SAFE_METHODS and self._foreign(headers, own.netloc):
            refusal = PlainTextResponse("This request comes from a page of another site. It was refused.\n", 403)
            await refusal(scope, receive, send_guarded)
            return
        https = "https" in (own.scheme, self._public.scheme)
        await self._app({**scope, "peer": peer, "https": https}, receive, send_guarded)

    def _foreign(self, headers: Headers, own_host: str) -> bool:
        origin = headers.get("origin")
        if origin is None:
            # Browsers that send no Origin with a form still say where the request comes from.
            return headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        # The scheme is not compared: behind a proxy that ends TLS this server may not see the one that browsers use.
        own = {own_host.lower(), headers.get("host", "").lower(), self._public.netloc.lower()} - {""}
        return urlsplit(origin).netloc.lower() not in own
