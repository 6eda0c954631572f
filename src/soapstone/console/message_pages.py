"""The page of a message: what became of the mails of all its sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from soapstone.accounts.logon import Identity
from soapstone.console.job_view import JobViews
from soapstone.console.paging import record_number
from soapstone.console.render import Renderer
from soapstone.console.visible_jobs import VisibleJobs
from soapstone.labels import MAIL_FIGURES
from soapstone.product import Product
from soapstone.sending.messages.message import Message
from soapstone.tracking.message_figures import Figures

LINKS_SHOWN = 100
SENDS_SHOWN = 25


class MessagePages:
    """Pages about messages, stored ones and those that were made for a send."""

    def __init__(self, product: Product, renderer: Renderer) -> None:
        self._product = product
        self._renderer = renderer
        self._views = JobViews(product)

    def page(self, request: Request, identity: Identity) -> Response:
        """Return one message: its figures, links and sends."""
        return self._renderer.page(request, "sent_message.html", identity, **self._values(request, identity))

    def live(self, request: Request, identity: Identity) -> Response:
        """Return the part that updates itself while a send runs."""
        values = self._values(request, identity)
        headers = None if values["moves"] else {"X-Page-Changed": "yes"}
        return self._renderer.page(request, "sent_message_live.html", identity, headers=headers, **values)

    def _values(self, request: Request, identity: Identity) -> dict[str, Any]:
        message = visible_message(self._product, identity, record_number(request.path_params["message_id"]) or 0)
        if message is None:
            raise HTTPException(404)
        account, login, figures = identity.account, identity.login, self._product.message_figures
        visible = VisibleJobs(self._product, identity)
        numbers = figures.sends(account.id, message.id, login=login, limit=SENDS_SHOWN)
        jobs = [job for job in map(visible.get, reversed(numbers)) if job is not None]
        lists = self._product.lists.all(account.id, login)
        return {
            "message": message,
            "mails": mail_figures(figures.total(account.id, message.id, login=login)),
            "links": figures.links(account.id, message.id, login=login, limit=LINKS_SHOWN),
            "most_links": LINKS_SHOWN,
            "sends": [self._views.of(job) for job in jobs],
            "moves": any(not job.over for job in jobs),
            "list_names": {contact_list.id: contact_list.name for contact_list in lists},
        }


def visible_message(product: Product, identity: Identity, message_id: int) -> Message | None:
    """Return a message of the account, if the login may see it."""
    found = product.messages.get(identity.account.id, message_id)
    if found is None or not product.lists.sees(identity.login, identity.account.id, found.list_id):
        return None
    return found


def mail_figures(found: Figures) -> Sequence[tuple[str, int]]:
    """Return figures of mails with their words."""
    amounts = {"departures": found.departures}
    return [
        (words, amounts[name] if name in amounts else getattr(found.counted, name))
        for name, words in MAIL_FIGURES.items()
    ]
