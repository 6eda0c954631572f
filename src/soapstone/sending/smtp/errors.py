"""What can go wrong with an SMTP server, apart from its replies to a mail. Each text says why."""

from __future__ import annotations


class SmtpError(Exception):
    """Base of these errors."""


class SmtpDisconnectedError(SmtpError):
    """Raised when a connection has ended, or the server answers what is not SMTP."""


class SmtpConnectError(SmtpError):
    """Raised when the server cannot be reached, or does not want us now."""


class SmtpRefusedError(SmtpError):
    """Raised when the server takes no mail from us until settings are changed, such as for a wrong password."""
