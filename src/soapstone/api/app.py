"""The app of the REST API."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from soapstone.api import (
    account,
    account_things,
    contacts,
    exports,
    imports,
    jobs,
    list_things,
    lists,
    logins,
    messages,
    sends,
)
from soapstone.api.access import OwnPages
from soapstone.api.description import Described
from soapstone.api.limits import Limited
from soapstone.api.problems import RESPONSES, install
from soapstone.product import Product
from soapstone.wire.origin import Origins

PREFIX = "/api/v1"
ROOMS = (account, logins, lists, list_things, contacts, account_things, imports, jobs, exports, messages, sends)


def rest(product: Product) -> FastAPI:
    """The app; its description is at /api/v1/openapi.json."""
    app = Described(
        title="Soapstone",
        version=version("soapstone"),
        description="Lists, contacts, imports, messages, sends and jobs of a Soapstone server.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=True,
    )
    app.state.product = product
    settings = product.settings
    origins = Origins(settings.trusted_proxies, allowed=settings.allowed_origins, public_url=settings.public_url)
    app.state.origins = origins
    for room in ROOMS:
        app.include_router(room.router, prefix=PREFIX, responses=RESPONSES)
    app.add_middleware(Limited, files=settings.max_upload_bytes)
    app.add_middleware(OwnPages, origins=origins)
    install(app)
    return app
