"""What a worker can do: the rooms' runners by kind of job."""

from __future__ import annotations

from soapstone.imports.imports import KINDS
from soapstone.imports.runner import run_import
from soapstone.jobs.run import Runner
from soapstone.product import Product
from soapstone.sending.sender import Sender


def runners(product: Product) -> dict[str, Runner]:
    """Kind of job → its runner."""
    sender = Sender(product.database, product.settings.mail, product.settings.drafts)
    return {**dict.fromkeys(KINDS, run_import), **sender.runners}
