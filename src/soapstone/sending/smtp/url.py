"""Where mail is handed over: the SMTP server, as one URL says it."""

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
    """A server by name and port. `tls` is from the first byte on; `starttls` one of auto, require and never.

    `verify` says whether the server's certificate must be a valid one.
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
        """`smtp://user:password@host:port` or `smtps://…`, with `?starttls=auto|require|never` and `?verify=yes|no`.

        A password goes over a verified TLS connection only, unless the server is this machine or the URL says so. For
        mail without a password TLS is used when the server offers it, whatever its certificate: as between any two
        mail servers. Raises InvalidSmtpUrl.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise InvalidSmtpUrl(f"The URL of the SMTP server cannot be read. {ESCAPES}") from None
        if parts.scheme not in PORTS or not host or not _is_name(host):
            raise InvalidSmtpUrl("The URL of the SMTP server is not smtp://host:port or smtps://host:port.")
        # Where such a character stands as it is, what comes before it would be taken for the server.
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
        """The server for people, without the password."""
        return f"{self.host}:{self.port}"

    @cached_property
    def tls_context(self) -> ssl.SSLContext | None:
        """How TLS is spoken with it, None where it is not; made once, since reading certificates takes long."""
        if not self.tls and self.starttls == "never":
            return None
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _is_name(host: str) -> bool:
    """Return whether it can be a name or an address at all: other characters are left over from a slip of the pen."""
    return host.isprintable() and not set(host) & set(" \"'<>,;|^`{}\\*!$()")
