"""The app of the subscribers' pages. A link only shows a page; the page's button performs the action.

So a program that follows all links of a mail confirms or unsubscribes no contact.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from soapstone.accounts.account import Account
from soapstone.body_limit import BodyLimit
from soapstone.contacts.subscriptions import SubscriptionOutcome
from soapstone.lists.lists import ContactList
from soapstone.product import Product, RecordsUnavailable
from soapstone.sending.confirmations import Invitation
from soapstone.sending.link_actions import Sent

log = logging.getLogger(__name__)

HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}

# Content of messages is shown, but runs no code.
STRANGE = "sandbox allow-popups; default-src 'none'; img-src * data:; style-src 'unsafe-inline' *; font-src *"

_templates = Environment(loader=PackageLoader("soapstone.subscriber"), autoescape=True, undefined=StrictUndefined)

NOT_OURS = ("This link does not work", "Perhaps a part of it is missing. Please copy the whole link from the mail.")
TOO_LARGE = ("Too large", "The request holds more than this page asks for.")
NOT_NOW = ("Not now", f"{RecordsUnavailable.sentence} Nothing has been changed.")
GONE = ("Too late", "What this link was for is no longer there.")
ONE_CLICK = ("List-Unsubscribe", "One-Click")
# SubscriptionOutcome of a confirmation → what the page says; {} is the name of the list.
CONFIRMED = {
    SubscriptionOutcome.SUBSCRIBED: ("Thank you", "You are subscribed to {}."),
    SubscriptionOutcome.ALREADY: ("Thank you", "You are subscribed to {}."),
    SubscriptionOutcome.UNSUBSCRIBED: (
        "Not subscribed",
        "You have unsubscribed from {} since. Please subscribe again.",
    ),
    SubscriptionOutcome.BANNED: ("Not subscribed", "{} cannot send mail to this address."),
    SubscriptionOutcome.SUPPRESSED: ("Not subscribed", "{} cannot send mail to this address."),
}


@dataclass(frozen=True)
class _Confirmation:
    account: Account
    contact_list: ContactList
    invitation: Invitation


def subscriber(product: Product) -> ASGIApp:
    """Return the app. Its pages are built in worker threads."""

    def found(request: Request) -> _Confirmation | tuple[str, str]:
        invitation = product.invitations.read(request.path_params["token"])
        if invitation is None:
            return NOT_OURS
        contact_list = product.lists.any(invitation.list_id)
        account = None if contact_list is None else product.accounts.get(contact_list.account_id)
        if contact_list is None or account is None:
            return GONE
        return _Confirmation(account, contact_list, invitation)

    def confirm(request: Request) -> Response:
        it = found(request)
        if not isinstance(it, _Confirmation):
            return page(*it, status=404)
        name = it.contact_list.name
        if request.method != "POST":
            return page("One more click", f"Do you want mail of {name}?", button="Yes, subscribe me")
        outcome = product.subscriptions().confirm(
            it.account, it.contact_list, it.invitation.contact_id, events=it.invitation.events
        )
        if outcome not in CONFIRMED:
            return page(*GONE, status=404)
        title, text = CONFIRMED[outcome]
        return page(title, text.format(name))

    def sent_by(purpose: str, token: str) -> tuple[int, Sent] | None:
        number = None if product.links is None else product.links.read(purpose, token)
        sent = None if number is None else product.link_actions.find(number)
        return None if number is None or sent is None else (number, sent)

    async def unsubscribe(request: Request) -> Response:
        known = await run_in_threadpool(sent_by, "unsubscribe", request.path_params["token"])
        if known is None:
            return page(*NOT_OURS, status=404)
        _, sent = known
        if request.method != "POST":
            return page("Unsubscribe?", f"Do you want no more mail of {sent.sender}?", button="Unsubscribe me")
        form = await request.body()
        # Mail programs post this themselves for their own unsubscribe button.
        one_click = is_one_click(request.headers.get("content-type", ""), form)
        by = "Mail Header" if one_click else "Unsubscribe Link"
        await run_in_threadpool(product.link_actions.unsubscribe, sent, by=by)
        return page("You are unsubscribed", f"There will be no more mail of {sent.sender}.")

    def read(request: Request) -> Response:
        known = sent_by("browser", request.path_params["token"])
        shown = None if known is None else product.link_actions.page(*known)
        if shown is None:
            return page(*NOT_OURS, status=404)
        subject, html, text = shown
        if html is None:
            return page(subject, text)
        return HTMLResponse(html, headers={**HEADERS, "Content-Security-Policy": STRANGE})

    def too_large(request: Request, error: Exception) -> Response:
        return page(*TOO_LARGE, status=413)

    routes = [
        Route("/confirm/{token}", confirm, methods=["GET", "POST"]),
        Route("/u/{token}", unsubscribe, methods=["GET", "POST"]),
        Route("/m/{token}", read),
    ]
    handlers: dict[Any, Any] = {
        413: too_large,
        RecordsUnavailable: lambda request, error: not_now(request.url.path, request.method, error),
    }
    # The client has disconnected, which is no fault of the server.
    handlers[ClientDisconnect] = lambda request, error: Response(status_code=400)
    return BodyLimit(Starlette(routes=routes, exception_handlers=handlers))


def not_now(path: str, method: str, error: RecordsUnavailable) -> Response:
    """Return the page for an unavailable database; mail programs read its status alone."""
    log.warning("%s %s failed: %s", method, path.split("/")[1], error.told)
    answer = page(*NOT_NOW, status=503)
    answer.headers["Retry-After"] = str(RecordsUnavailable.retry_seconds)
    return answer


def is_one_click(content_type: str, body: bytes) -> bool:
    """Return whether a form says that a mail program posts it, in either way that RFC 8058 3.2 allows.

    Parts are separated by lines that begin with hyphens. Python's mail parser takes a time that
    grows with the square of a header.
    """
    if content_type[:100].partition(";")[0].strip().lower() != "multipart/form-data":
        return ONE_CLICK in parse_qsl(body.decode("latin-1").strip())
    lines = body.decode("latin-1").replace("\r\n", "\n").split("\n")
    name, in_head, value = "", False, list[str]()
    for line in (*lines, "--"):
        if line.startswith("--"):
            if (name, "".join(value).strip()) == ONE_CLICK:
                return True
            name, in_head, value = "", True, []
        elif in_head:
            in_head = bool(line)
            header, _, parameters = line.partition(":")
            if header.strip().lower() == "content-disposition":
                name = _parameter("name", parameters)
        else:
            value.append(line)
    return False


def _parameter(name: str, text: str) -> str:
    """Return a parameter of a header; empty for none."""
    for each in text.split(";"):
        key, _, value = each.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return ""


def page(title: str, text: str, *, button: str = "", status: int = 200) -> Response:
    """Return a page with a title and a text, and a form with this button."""
    body = _templates.get_template("page.html").render(title=title, text=text, button=button)
    return HTMLResponse(body, status, HEADERS)
