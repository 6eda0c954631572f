"""The SMTP server's address, parsed from a URL."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs, unquote, urlsplit

from soapstone.loopback import is_loopback

PORTS = {"smtp": 25, "smtps": 465}
STARTTLS = ("auto", "require", "never")
VERIFY = ("yes", "no")
ESCAPES = "In user and password, write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23 and % as %25."


class InvalidSmtpUrl(ValueError):
    """The URL of the SMTP server cannot be used; the text is a sentence for the operator, without a password."""


@dataclass(frozen=True, kw_only=True)
class SmtpAddress:
    """A server by name and port. `tls` means implicit TLS; `starttls` is one of auto, require and never.

    `verify` says whether the server's certificate must be valid.
    """

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: bool = False
    starttls: str = "auto"
    verify: bool = True

    @classmethod
    def of(cls, url: str) -> SmtpAddress:
        """Parse `smtp://user:password@host:port` or `smtps://…`, `?starttls=auto|require|never`, `?verify=yes|no`.

        A password is sent over verified TLS only, unless the server is this machine or the URL says so.
        Without a password, TLS is used if the server offers it, whatever its certificate, as between any two
        mail servers. Raises InvalidSmtpUrl.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise InvalidSmtpUrl(f"The URL of the SMTP server cannot be read. {ESCAPES}") from None
        if parts.scheme not in PORTS or not host or not _is_name(host):
            raise InvalidSmtpUrl("The URL of the SMTP server is not smtp://host:port or smtps://host:port.")
        # An unescaped character would make what precedes it the server.
        if parts.path not in ("", "/") or parts.fragment or "@" in parts.query:
            raise InvalidSmtpUrl(f"The URL of the SMTP server goes on behind host and port. {ESCAPES}")
        options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        secret = bool(user) and not is_loopback(host)
        starttls = options.get("starttls", "require" if secret and parts.scheme == "smtp" else "auto")
        if starttls not in STARTTLS:
            raise InvalidSmtpUrl(f"starttls of the SMTP server's URL is one of {', '.join(STARTTLS)}.")
        verify = options.get("verify", "yes" if parts.scheme == "smtps" or starttls == "require" else "no")
        if verify not in VERIFY:
            raise InvalidSmtpUrl(f"verify of the SMTP server's URL is one of {', '.join(VERIFY)}.")
        if options.keys() - {"starttls", "verify"}:
            raise InvalidSmtpUrl("The SMTP server's URL takes the options starttls and verify, and no other.")
        return cls(
            host=host,
            port=port or PORTS[parts.scheme],
            user=user,
            password=password,
            tls=parts.scheme == "smtps",
            starttls=starttls,
            verify=verify == "yes",
        )

    @property
    def shown(self) -> str:
        """The server as shown to operators, without the password."""
        return f"{self.host}:{self.port}"

    @cached_property
    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context, None without TLS; created once, since reading certificates is slow."""
        if not self.tls and self.starttls == "never":
            return None
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _is_name(host: str) -> bool:
    """Return whether a text can be a host name or an address; other characters are typing errors."""
    return host.isprintable() and not set(host) & set(" \"'<>,;|^`{}\\*!$()")
