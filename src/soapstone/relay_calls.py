"""The endpoint for calls of a relay service: /relay/NAME (docs/bounces.md)."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from soapstone.accounts.logon import log_refusal
from soapstone.errors import ForbiddenError, InvalidError
from soapstone.http.client_address import Origins
from soapstone.product import Product, RecordsUnavailable

log = logging.getLogger(__name__)

# Octets of one call; the services send a few hundred reports at most.
LARGEST = 4 << 20


def relay_calls(product: Product) -> Starlette:
    """Return the app. A call is answered 200 once all of its reports are on disk; the services repeat others."""

    settings = product.settings
    origins = Origins(settings.trusted_proxies, allowed=settings.allowed_origins, public_url=settings.public_url)

    def take(peer: str | None, headers: dict[str, str], body: bytes) -> Response:
        relay = product.relay
        if relay is None:
            return PlainTextResponse("No such service.\n", 404)
        try:
            product.incoming_mails.take_relayed(relay.read(headers, body), source=relay.name)
        except ForbiddenError as refusal:
            log.warning("a call for %s is refused: %s", relay.name, refusal)
            # A signature cannot be guessed; a password can.
            if "authorization" in headers:
                log_refusal(peer, "password")
            return PlainTextResponse(f"{refusal}\n", 403)
        except InvalidError as refusal:
            log.warning("a call of %s cannot be read", relay.name)
            return PlainTextResponse(f"{refusal}\n", 400)
        except (RecordsUnavailable, OSError) as trouble:
            log.warning("a call of %s is not taken now: %s", relay.name, trouble)
            return PlainTextResponse(f"{RecordsUnavailable.sentence}\n", 503, {"Retry-After": "5"})
        return PlainTextResponse("ok\n")

    async def called(request: Request) -> Response:
        if product.relay is None or request.path_params["name"] != product.relay.name:
            return PlainTextResponse("No such service.\n", 404)
        body = bytearray()
        try:
            async for block in request.stream():
                body += block
                if len(body) > LARGEST:
                    return PlainTextResponse("The call is too large.\n", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        peer = origins.read(request.scope)[0]
        return await run_in_threadpool(take, peer, dict(request.headers), bytes(body))

    return Starlette(routes=[Route("/relay/{name}", called, methods=["POST"])])
