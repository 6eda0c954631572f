"""The page of one list."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from soapstone.accounts.logon import Identity
from soapstone.console.job_view import JobViews
from soapstone.console.paging import page_of, record_number
from soapstone.console.render import Renderer
from soapstone.console.visible_jobs import VisibleJobs
from soapstone.product import Product

MEMBERS_SHOWN = 50
JOBS_SHOWN = 5
MESSAGES_SHOWN = 10


class ListPages:
    """Pages about lists."""

    def __init__(self, product: Product, renderer: Renderer) -> None:
        self._product = product
        self._renderer = renderer
        self._views = JobViews(product)

    def page(self, request: Request, identity: Identity) -> Response:
        """Return one list: settings, profile attributes, last messages and jobs, members."""
        list_id = record_number(request.path_params["list_id"]) or 0
        found = self._product.lists.get(identity.account.id, list_id, identity.login)
        if found is None:
            raise HTTPException(404)
        jobs = VisibleJobs(self._product, identity).page(0, JOBS_SHOWN, list_id=found.id)
        members, messages = self._product.members, self._product.messages
        stored = messages.find(
            identity.account.id, list_ids=[found.id], archived=False, sent=False, newest=True, limit=MESSAGES_SHOWN
        )
        return self._renderer.page(
            request,
            "list.html",
            identity,
            list=found,
            account_tracking=identity.account.tracking,
            list_names={found.id: found.name},
            totals=self._product.lists.totals(found),
            attributes=self._product.profiles.attributes(found.id),
            messages=[(message, messages.unknown_fields(identity.account.id, message)) for message in stored],
            jobs=[self._views.of(job) for job in jobs],
            page=page_of(
                request, lambda offset, limit: members.page(found.id, offset=offset, limit=limit), MEMBERS_SHOWN
            ),
        )
