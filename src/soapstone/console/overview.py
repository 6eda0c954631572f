"""The overview: lists, jobs, mail and calls on one page that moves by itself."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from soapstone.accounts.logon import Identity
from soapstone.console.job_view import JobViews
from soapstone.console.mail_folder import MailFolder
from soapstone.console.recent_calls import RecentCalls
from soapstone.console.render import Renderer
from soapstone.console.visible_jobs import VisibleJobs
from soapstone.product import Product

JOBS_SHOWN = 10
MAILS_SHOWN = 8


class Overview:
    """The page and the part of it that moves."""

    def __init__(self, product: Product, calls: RecentCalls, folder: MailFolder, renderer: Renderer) -> None:
        self._product = product
        self._calls = calls
        self._folder = folder
        self._renderer = renderer
        self._views = JobViews(product)

    def page(self, request: Request, identity: Identity) -> Response:
        return self._renderer.page(request, "overview.html", identity, **self._values(identity))

    def live(self, request: Request, identity: Identity) -> Response:
        """Return the part that updates itself."""
        return self._renderer.page(request, "overview_live.html", identity, **self._values(identity))

    def _values(self, identity: Identity) -> dict[str, Any]:
        visible = VisibleJobs(self._product, identity)
        lists = self._product.lists.all(identity.account.id, identity.login)
        return {
            "lists": lists,
            "list_names": {contact_list.id: contact_list.name for contact_list in lists},
            "jobs": [self._views.of(job) for job in visible.page(0, JOBS_SHOWN)],
            "mails": self._folder.page(visible.sends(), 0, MAILS_SHOWN),
            "mail_server": bool(self._product.settings.smtp_url),
            "calls": self._calls.of(identity.account.id),
        }
