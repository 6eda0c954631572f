"""The console's app and its routes."""

from __future__ import annotations

import logging
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from soapstone.accounts.logon import Identity
from soapstone.body_limit import BodyLimit
from soapstone.console.job_pages import JobPages
from soapstone.console.list_pages import ListPages
from soapstone.console.login import LoginPages
from soapstone.console.mail_folder import MailFolder
from soapstone.console.mail_pages import MailPages
from soapstone.console.message_pages import MessagePages
from soapstone.console.overview import Overview
from soapstone.console.recent_calls import RecentCalls
from soapstone.console.render import Renderer
from soapstone.console.security_headers import Guard
from soapstone.product import Product, RecordsUnavailable

log = logging.getLogger(__name__)

TITLES = {
    404: ("Nothing is here", "This page does not exist, or your login may not see it."),
    405: ("Not like that", "This address does not take such a request."),
    413: ("Too much", "The form holds more than any form of this server asks for."),
    503: ("Not now", RecordsUnavailable.sentence),
}
ERROR = ("Something went wrong", "The server met an internal error. Its log has the details.")


def console(product: Product, calls: RecentCalls, *, demo: bool) -> ASGIApp:
    """Return the app of all pages. `calls` holds the last SOAP calls; `demo` fills the login form in.

    Every page is made in a worker thread; the event loop only reads forms.
    """
    renderer = Renderer()
    entry = LoginPages(product, renderer, demo=demo)
    folder = MailFolder(product.mails)
    overview = Overview(product, calls, folder, renderer)
    jobs, lists = JobPages(product, renderer), ListPages(product, renderer)
    mails, messages = MailPages(product, folder, renderer), MessagePages(product, renderer)

    def problem(request: Request, error: Exception) -> Response:
        if isinstance(error, RecordsUnavailable):
            log.warning("%s %s failed: %s", request.method, request.url.path, error.told)
            error = HTTPException(503, headers={"Retry-After": str(error.retry_seconds)})
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        title, text = TITLES.get(status, ERROR)
        return renderer.page(request, "message.html", None, status=status, headers=headers, title=title, text=text)

    def nothing(request: Request, identity: Identity) -> Response:
        raise HTTPException(404)

    page = entry.signed_in
    routes = [
        Mount("/static", _Static(packages=[("soapstone.console", "static")])),
        Route("/login", entry.form),
        Route("/login", entry.log_in, methods=["POST"]),
        Route("/logout", entry.log_out, methods=["POST"]),
        Route("/", page(overview.page)),
        Route("/live", page(overview.live)),
        Route("/jobs", page(jobs.index)),
        Route("/jobs/live", page(jobs.index_live)),
        Route("/jobs/{job_id}", page(jobs.page)),
        Route("/jobs/{job_id}/live", page(jobs.live)),
        Route("/jobs/{job_id}/rejects.csv", page(jobs.rejects)),
        Route("/jobs/{job_id}/cancel", page(jobs.cancel), methods=["POST"]),
        Route("/jobs/{job_id}/retry", page(jobs.retry), methods=["POST"]),
        Route("/lists/{list_id}", page(lists.page)),
        Route("/messages/{message_id}", page(messages.page)),
        Route("/messages/{message_id}/live", page(messages.live)),
        Route("/mail", page(mails.index)),
        Route("/mail/{name}", page(mails.page)),
        Route("/mail/{name}/source", page(mails.source)),
        Route("/{rest:path}", page(nothing)),
    ]
    handlers: dict[Any, Any] = dict.fromkeys((HTTPException, RecordsUnavailable, Exception), problem)
    # The client has gone, which is no fault of the server.
    handlers[ClientDisconnect] = lambda request, error: Response(status_code=400)
    app = Starlette(routes=routes, exception_handlers=handlers)
    settings = product.settings
    return Guard(BodyLimit(app), public_url=settings.public_url, trusted_proxies=settings.trusted_proxies)


class _Static(StaticFiles):
    """Static files, which browsers keep but ask about each time: an upgrade shows at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response
