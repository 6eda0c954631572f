"""The command for pipes of mail servers: takes one mail from standard input (R13, R14 of the manual's page on bounces).

Its exit code is 0 or 75 and nothing else: mail servers take any other one for a refusal for good, and a bounce has no
sender who could be told.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from soapstone.commands.common import on_records
from soapstone.product import Product
from soapstone.tracking.mail_parts import LARGEST_MAIL

app = typer.Typer()

# The recipient by mail server: Postfix local; Postfix local, Exim and OpenSMTPD.
_VARIABLES = ("ORIGINAL_RECIPIENT", "RECIPIENT")
_BLOCK = 64 << 10

Recipients = Annotated[
    list[str] | None,
    typer.Option("--recipient", help="Address that the mail was sent to; else the environment and the mail tell."),
]


@on_records(app)
def bounce(product: Product, recipient: Recipients = None) -> None:
    """Take a bounce or complaint from standard input, as a mail server pipes it; exit code 0 or 75."""
    raw = _read()
    recipients = recipient or [os.environ[name] for name in _VARIABLES if os.environ.get(name)][:1]
    product.incoming_mails.take(raw, recipients, source="pipe")


def _read() -> bytes:
    """Return the beginning of standard input, and read all of it: a mail server may fail when it cannot write."""
    kept = b""
    while block := sys.stdin.buffer.read(_BLOCK):
        if len(kept) < LARGEST_MAIL:
            kept += block
    return kept
