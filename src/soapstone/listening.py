"""The socket that a server listens on."""

from __future__ import annotations

import errno
import socket

from soapstone.errors import SoapstoneError


class PortTaken(SoapstoneError):
    """The address cannot be bound; the message names the remedy."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as trouble:
        listener.close()
        if isinstance(trouble, socket.gaierror) or trouble.errno == errno.EADDRNOTAVAIL:
            remedy = "Name an address of this machine: --host 127.0.0.1."
        else:
            remedy = f"Choose another port: --port {port + 1}, or make run PORT={port + 1}."
        raise PortTaken(f"Cannot listen on {host}:{port} ({trouble.strerror}). {remedy}") from None
    return listener
