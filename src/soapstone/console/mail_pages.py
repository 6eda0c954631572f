"""The pages of the mail folder."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from soapstone.accounts.logon import Identity
from soapstone.console.mail_folder import MailFolder
from soapstone.console.paging import page_of
from soapstone.console.render import Renderer
from soapstone.console.security_headers import MAIL_POLICY
from soapstone.console.visible_jobs import VisibleJobs
from soapstone.http.attachment import attachment
from soapstone.product import Product

MAILS_SHOWN = 25


class MailPages:
    """Pages about mails."""

    def __init__(self, product: Product, folder: MailFolder, renderer: Renderer) -> None:
        self._product = product
        self._folder = folder
        self._renderer = renderer

    def index(self, request: Request, identity: Identity) -> Response:
        """Return the mails, newest first."""
        visible = VisibleJobs(self._product, identity)
        page = page_of(request, lambda offset, limit: self._folder.page(visible.sends(), offset, limit), MAILS_SHOWN)
        return self._renderer.page(
            request, "mails.html", identity, page=page, mail_server=bool(self._product.settings.smtp_url)
        )

    def page(self, request: Request, identity: Identity) -> Response:
        mail = self._folder.open(self._name(request, identity))
        headers = {"Content-Security-Policy": MAIL_POLICY}
        return self._renderer.page(request, "mail.html", identity, headers=headers, mail=mail)

    def source(self, request: Request, identity: Identity) -> Response:
        """Return one mail as the file that it is."""
        name = self._name(request, identity)
        return Response(self._folder.source(name), media_type="message/rfc822", headers=attachment(name))

    def _name(self, request: Request, identity: Identity) -> str:
        name = str(request.path_params["name"])
        if not self._folder.has(VisibleJobs(self._product, identity).sees, name):
            raise HTTPException(404)
        return name
