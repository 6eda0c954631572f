"""The server's TLS context, from the configured certificate and key."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

from soapstone.errors import InvalidError


def tls_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """Return a context for TLS 1.2 and newer with these PEM files; None without files. Raises InvalidError."""
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise InvalidError("TLS needs both a certificate and its key: --tls-cert and --tls-key.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        for path in (certificate, key):
            with Path(path).open("rb"):
                pass
    except OSError as trouble:
        raise InvalidError(f"Cannot read {path} ({trouble.strerror}).") from None

    def asked() -> NoReturn:
        # A server that starts unattended cannot ask for a password.
        raise InvalidError(f"The key in {key} has a password. Give it without one.")

    try:
        context.load_cert_chain(certificate, key, asked)
    except ssl.SSLError as trouble:
        if trouble.reason == "KEY_VALUES_MISMATCH":
            raise InvalidError(f"The key in {key} is not that of the certificate in {certificate}.") from None
        raise InvalidError(f"{certificate} holds no certificate, or {key} no key, in PEM format.") from None
    return context
