"""The app of the REST API."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from soapstone.api import (
    account,
    campaigns,
    categories,
    contacts,
    event_sign_ups,
    events,
    exports,
    external_events,
    figures,
    imports,
    incoming,
    jobs,
    lists,
    logins,
    mappings,
    messages,
    profile,
    review_groups,
    saved_searches,
    sends,
    suppressions,
)
from soapstone.api.authentication import OwnPages
from soapstone.api.description import Described, operation_id
from soapstone.api.limits import Limited
from soapstone.api.problems import RESPONSES, install
from soapstone.api.repeated_reads import RepeatedReads
from soapstone.http.client_address import Origins
from soapstone.product import Product

PREFIX = "/api/v1"
ROOMS = (
    account,
    logins,
    lists,
    external_events,
    campaigns,
    review_groups,
    profile,
    contacts,
    categories,
    saved_searches,
    mappings,
    event_sign_ups,
    suppressions,
    imports,
    jobs,
    exports,
    messages,
    sends,
    incoming,
    figures,
    events,
)


def rest(product: Product) -> FastAPI:
    """Return the app; its description is at /api/v1/openapi.json."""
    app = Described(
        title="Soapstone",
        version=version("soapstone"),
        description="Lists, contacts, imports, messages, sends, what became of mails, and jobs of a Soapstone server.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=_routes(),
    )
    app.state.product = product
    settings = product.settings
    origins = Origins(settings.trusted_proxies, allowed=settings.allowed_origins, public_url=settings.public_url)
    app.state.origins = origins
    app.add_middleware(Limited, files=settings.max_upload_bytes)
    app.add_middleware(OwnPages, origins=origins)
    app.add_middleware(RepeatedReads)
    install(app)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Return all operations, independent of a product: FastAPI takes 0.1 s to analyse them, once a process."""
    router = APIRouter(generate_unique_id_function=operation_id, strict_content_type=True)
    for room in ROOMS:
        router.include_router(room.router, prefix=PREFIX, responses=RESPONSES)
    return router.routes
