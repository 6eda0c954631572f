"""The guard of every console answer: security headers, and no changes on behalf of another site."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.http.client_address import FOREIGN, Origins, cookie, without_cookies

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


COOKIE = "soapstone_session"


class Guard:
    """Wraps the console's app.

    `public_url` is where browsers see this server, when that is not what the request says. For those inside, the scope
    then holds `peer` (the caller's address, empty for none) and `https`, with trusted proxies taken into account, and
    `session_token`, what the console's cookie holds; there are no cookies any more.
    """

    def __init__(self, app: ASGIApp, *, public_url: str, trusted_proxies: Sequence[str]) -> None:
        self._app = app
        self._public = urlsplit(public_url)
        # Pages of other sites never post to the console, whatever interfaces they may call.
        self._origins = Origins(trusted_proxies, public_url=public_url)

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

        peer, base_url = self._origins.read(scope)
        if self._origins.is_foreign(scope, base_url):
            await PlainTextResponse(f"{FOREIGN}\n", 403)(scope, receive, send_guarded)
            return
        https = base_url.startswith("https:") or self._public.scheme == "https"
        more = {"peer": peer, "https": https, "session_token": cookie(scope, COOKIE)}
        await self._app({**without_cookies(scope), **more}, receive, send_guarded)
