"""What a worker does: the rooms' runners by kind of job, and the chores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from soapstone.imports import scratch
from soapstone.imports.attribute_update import KIND as ATTRIBUTE_UPDATE
from soapstone.imports.attribute_update import run_attribute_update
from soapstone.imports.imports import KINDS
from soapstone.imports.runner import run_import
from soapstone.jobs.run import Runner
from soapstone.product import Product
from soapstone.sending.sender import Sender
from soapstone.store.instants import now


def runners(product: Product) -> dict[str, Runner]:
    """Kind of job → its runner."""
    sender = Sender(product.database, product.settings.mail, product.settings.drafts)
    return {**dict.fromkeys(KINDS, run_import), ATTRIBUTE_UPDATE: run_attribute_update, **sender.runners}


def chores(product: Product) -> list[Callable[[], object]]:
    """What is done now and then: input files past their time go, and so does what dead runs left behind."""

    def sweep_inputs() -> None:
        product.jobs.forget_inputs(now() - timedelta(days=product.settings.retention_days))
        product.blobs.sweep(product.jobs.blobs_in_use())
        scratch.sweep(product.blobs.folder, product.jobs.unfinished())

    sender = Sender(product.database, product.settings.mail, product.settings.drafts)
    return [sweep_inputs, sender.sweep]
