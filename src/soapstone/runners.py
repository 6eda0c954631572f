"""The work of a worker: runners by kind of job, and maintenance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.imports import scratch
from soapstone.imports.attribute_update import run_attribute_update
from soapstone.imports.runner import run_import
from soapstone.jobs.run import Runner
from soapstone.lists.attribute_removal import run_attribute_removal
from soapstone.personal_data.retention import Retention
from soapstone.product import Product
from soapstone.sending.mail.bounce_addresses import BounceAddresses
from soapstone.sending.mail.builder import MailOptions
from soapstone.sending.mail.dkim import DkimKey, DkimSigner
from soapstone.sending.runner import SendRunner
from soapstone.sending.simulator import Simulator
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import InvalidSmtpUrl, SmtpAddress
from soapstone.settings import Settings
from soapstone.tracking.recorder import Recorder
from soapstone.tracking.retention import EventRetention
from soapstone.vocabulary.jobs import IMPORTS, JobKind

# Settings that no worker can use; the text is a sentence for the operator.
UNUSABLE_SETTINGS = (InvalidSmtpUrl, InvalidError)

# A relay tries for this long (RFC 5321 4.5.4.1); then a mail that it reported as delayed, and no more, is lost.
RELAY_GIVES_UP = timedelta(days=5)


def runners(product: Product, *, simulates: bool = False) -> dict[str, Runner]:
    """Return the runners by kind of job. Raises UNUSABLE_SETTINGS.

    With `simulates`, and always with the demo's login, the mail simulator handles its addresses.
    """
    settings = product.settings
    simulates = simulates or product.accounts.demo_login() is not None
    sender = SendRunner(
        product.database,
        product.mails,
        settings.drafts,
        server=smtp_server(settings),
        options=mail_options(product),
        simulator=Simulator(product.database, retries_of(settings)) if simulates else None,
    )
    return {
        **dict.fromkeys(IMPORTS, run_import),
        JobKind.ATTRIBUTE_UPDATE: run_attribute_update,
        JobKind.ATTRIBUTE_REMOVAL: run_attribute_removal,
        **sender.runners,
    }


def maintenance(product: Product) -> list[Callable[[], object]]:
    """Return the periodic tasks: remove expired input files, leftovers of dead runs, old sessions and failures."""

    def sweep_incoming_mails() -> None:
        product.incoming_mails.give_up_delayed(timedelta(hours=settings.smtp_retry_hours) + RELAY_GIVES_UP)
        product.incoming_mails.forget_contents()

    def sweep_inputs() -> None:
        product.jobs.forget_inputs(now() - timedelta(days=product.settings.retention_days))
        product.blobs.sweep(product.jobs.blobs_in_use())
        scratch.sweep(product.blobs.folder, product.jobs.unfinished())

    sender = SendRunner(product.database, product.mails, product.settings.drafts)
    settings = product.settings
    retention = Retention(
        product.database,
        product.mails,
        days=settings.result_retention_days,
    )
    events = EventRetention(product.database, settings.event_retention_days)
    return [
        retention.sweep,
        events.sweep,
        sweep_incoming_mails,
        sweep_inputs,
        sender.sweep,
        product.lists.purge,
        product.idempotency_keys.sweep,
        product.logons.sweep,
        product.sessions.sweep,
        product.audit.sweep,
    ]


def recorder(product: Product) -> Recorder:
    """Return what records the opens, reads and clicks that web processes spool."""
    settings = product.settings
    return Recorder(
        product.database, settings.spool, machine_seconds=settings.machine_click_seconds, bucket=product.bucket
    )


def smtp_server(settings: Settings) -> SmtpServer | None:
    """Return the configured SMTP server; None if mail goes to the folder. Raises InvalidSmtpUrl."""
    if not settings.smtp_url:
        return None
    return SmtpServer(
        SmtpAddress.of(settings.smtp_url),
        connections=settings.smtp_connections,
        rates=Rates(settings.smtp_rate, settings.smtp_domain_rate),
        retries=retries_of(settings),
        timeout=settings.smtp_timeout_seconds,
        local_hostname=settings.smtp_hostname or None,
    )


def retries_of(settings: Settings) -> Retries:
    """Return how deferred mails are tried again."""
    return Retries(
        first=timedelta(seconds=settings.smtp_retry_seconds), limit=timedelta(hours=settings.smtp_retry_hours)
    )


def dkim_signer(settings: Settings) -> DkimSigner | None:
    """Return the signer with the configured keys; None if mails go unsigned. Raises InvalidError."""
    keys = [key.split(":", 2) for key in settings.dkim_keys]
    if not keys:
        return None
    return DkimSigner(keys[0][0], [DkimKey.of(selector, path) for _, selector, path in keys])


def mail_options(product: Product) -> MailOptions:
    """Return links, stems, signer, bounce addresses and relay header of all mails, as far as configured.

    Raises InvalidError.
    """
    settings = product.settings
    bounces = None
    if settings.bounce_domain:
        bounces = BounceAddresses(product.stems, settings.bounce_domain, settings.bounce_separator)
    relay_header = None
    if relay := product.relay:
        stems = product.stems

        def relay_header(message_id: int, delivery_id: int) -> tuple[str, str]:
            return relay.header(stems.make(message_id, delivery_id))

    return MailOptions(
        links=product.links,
        signer=dkim_signer(settings),
        stems=product.stems if product.links else None,
        bounces=bounces,
        relay_header=relay_header,
    )
