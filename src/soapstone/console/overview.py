"""The overview: lists, jobs, mail and calls on one page that moves by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from soapstone.accounts.logon import Identity
from soapstone.console.job_view import JobViews
from soapstone.console.mail_folder import MailFolder
from soapstone.console.render import Renderer
from soapstone.console.visible import VisibleJobs
from soapstone.product import Product
from soapstone.wire.endpoint import CallRecord

JOBS_SHOWN = 10
MAILS_SHOWN = 8


class Overview:
    """`calls` gives the last SOAP calls, newest first."""

    def __init__(
        self, product: Product, calls: Callable[[], Sequence[CallRecord]], folder: MailFolder, renderer: Renderer
    ) -> None:
        self._product = product
        self._calls = calls
        self._folder = folder
        self._renderer = renderer
        self._views = JobViews(product)

    def page(self, request: Request, identity: Identity) -> Response:
        """The page."""
        return self._renderer.page(request, "overview.html", identity, **self._values(identity))

    def live(self, request: Request, identity: Identity) -> Response:
        """The part of it that moves."""
        return self._renderer.page(request, "overview_live.html", identity, **self._values(identity))

    def _values(self, identity: Identity) -> dict[str, Any]:
        visible = VisibleJobs(self._product, identity)
        lists = self._product.lists.all(identity.account.id, identity.login)
        return {
            "lists": lists,
            "list_names": {contact_list.id: contact_list.name for contact_list in lists},
            "jobs": [self._views.of(job) for job in visible.page(0, JOBS_SHOWN)],
            "letters": self._folder.page(visible.sends(), 0, MAILS_SHOWN),
            "calls": _own(self._calls(), identity),
        }


def _own(calls: Sequence[CallRecord], identity: Identity) -> list[CallRecord]:
    """The calls of the login's account, and those that nobody was let in by; of these not where they came from."""
    prefix = f"{identity.account.name}/"
    return [
        call if call.caller_name else replace(call, peer="")
        for call in calls
        if not call.caller_name or call.caller_name.startswith(prefix)
    ]
