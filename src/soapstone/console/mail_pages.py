"""The pages of the mail folder."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

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
        """Return one mail."""
        mail = self._folder.open(self._path(request, identity))
        headers = {"Content-Security-Policy": MAIL_POLICY}
        return self._renderer.page(request, "mail.html", identity, headers=headers, mail=mail)

    def source(self, request: Request, identity: Identity) -> Response:
        """Return one mail as the file that it is."""
        path = self._path(request, identity)
        return FileResponse(path, media_type="message/rfc822", headers=attachment(path.name))

    def _path(self, request: Request, identity: Identity) -> Path:
        path = self._folder.path(VisibleJobs(self._product, identity).sees, request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        return path
