"""The checks of all settings that servers, workers and `soapstone settings --check` make first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from soapstone.accounts.passwords import LONGEST_PASSWORD
from soapstone.commands.common import folder_fault, stop
from soapstone.errors import InvalidError
from soapstone.settings import Settings
from soapstone.store.database import Database


def check_settings(settings: Settings) -> None:
    """End the command unless all settings can be used, with a line for each that cannot."""
    if found := list(faults(settings)):
        stop("\n".join(found))


def faults(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with settings that are well-formed, with the files that they name too. A sentence each."""
    from soapstone.runners import smtp_server
    from soapstone.sending.mail.spamd import SpamScanner
    from soapstone.sending.smtp.url import InvalidSmtpUrl
    from soapstone.tls import tls_context
    from soapstone.tracking.relays import Relay

    def fault(check: Callable[[], object], kind: type[Exception], begin: str = "") -> Iterator[str]:
        try:
            check()
        except kind as trouble:
            yield f"{begin}{trouble}"

    if sentence := folder_fault(settings.data_dir):
        yield sentence
    yield from fault(lambda: _check_database(settings), InvalidError, "SOAPSTONE_DATABASE_URL cannot be used: ")
    yield from fault(lambda: _check_bucket(settings.blob_url), ValueError, "SOAPSTONE_BLOB_URL cannot be used: ")
    yield from fault(lambda: tls_context(settings.tls_cert, settings.tls_key), InvalidError)
    yield from fault(lambda: smtp_server(settings), InvalidSmtpUrl, "SOAPSTONE_SMTP_URL cannot be used: ")
    if settings.spamd_url:
        given = settings.spamd_url
        yield from fault(lambda: SpamScanner(given), InvalidError, "SOAPSTONE_SPAMD_URL cannot be used: ")
    if bool(settings.admin_login) != bool(settings.admin_password):
        yield "SOAPSTONE_ADMIN_LOGIN and SOAPSTONE_ADMIN_PASSWORD, or SOAPSTONE_ADMIN_PASSWORD_FILE, need each other."
    if len(settings.admin_password) > LONGEST_PASSWORD:
        yield f"SOAPSTONE_ADMIN_PASSWORD cannot be used: a password has at most {LONGEST_PASSWORD} characters."
    if settings.bounce_listen and not settings.bounce_domain:
        yield "SOAPSTONE_BOUNCE_LISTEN is set, and SOAPSTONE_BOUNCE_ADDRESS is not set."
    if settings.relay:
        yield from fault(lambda: Relay(settings.relay, settings.relay_key), InvalidError)
    elif settings.relay_key:
        yield "SOAPSTONE_RELAY_KEY is set, and SOAPSTONE_RELAY is not set."
    for check in _dkim(settings):
        yield from fault(check, InvalidError)


def _check_database(settings: Settings) -> None:
    """Raise InvalidError for a database that cannot be opened here. Create nothing."""
    database = Database(settings.database)
    database.close()
    folder = None if database.path is None else database.path.parent.absolute()
    # The data folder is made at the start, and no other one.
    if folder not in (None, settings.data_dir.absolute()) and not folder.is_dir():
        raise InvalidError(f"there is no folder {folder}.")


def _check_bucket(url: str) -> None:
    """Raise ValueError for a bucket that cannot be used here. Ask nothing of it."""
    from soapstone.store.bucket import Bucket

    if url:
        Bucket.of(url)


def _dkim(settings: Settings) -> Iterator[Callable[[], object]]:
    """Yield the checks of the DKIM settings: each key by itself, so that each one's fault shows; both together if they
    do."""
    from soapstone.runners import dkim_signer
    from soapstone.sending.mail.dkim import DkimKey

    usable = 0

    def read(path: str, selector: str) -> None:
        nonlocal usable
        DkimKey.of(selector, path)
        usable += 1

    for key in settings.dkim_keys:
        _, selector, path = key.split(":", 2)
        yield lambda path=path, selector=selector: read(path, selector)  # type: ignore[misc]
    if usable == len(settings.dkim_keys):
        yield lambda: dkim_signer(settings)
