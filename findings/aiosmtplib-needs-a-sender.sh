#!/bin/sh
# aiosmtplib 5.1.3's send refuses sender="", the empty reverse-path of bounces and automatic replies (RFC 5321 4.5.5), when
# the mail is given as text or bytes: it takes it for a missing one, and "<>" for a wrong address. With an EmailMessage
# the same argument is taken, and SMTP.sendmail("", ...) takes it for bytes, too.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check aiosmtplib==5.1.3 aiosmtpd==1.4.6
"$work/venv/bin/python" - <<'PYTHON'
import asyncio
import socket
from email.message import EmailMessage
from importlib.metadata import version

import aiosmtplib
from aiosmtpd.controller import Controller

senders = []


class Handler:
    async def handle_DATA(self, server, session, envelope):
        senders.append(envelope.mail_from)
        return "250 OK"


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
controller = Controller(Handler(), hostname="127.0.0.1", port=port)
controller.start()
mail = EmailMessage()
mail["From"], mail["To"], mail["Auto-Submitted"] = "postmaster@example.com", "ann@example.org", "auto-replied"
mail.set_content("Away.")


async def send(content, sender):
    await aiosmtplib.send(content, sender=sender, recipients=["ann@example.org"], hostname="127.0.0.1", port=port)


async def sendmail():
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        await client.sendmail("", ["ann@example.org"], mail.as_string())


print("aiosmtplib", version("aiosmtplib"))
for sender in ("", "<>"):
    try:
        asyncio.run(send(mail.as_string(), sender))
    except ValueError as error:
        print(repr(sender), "of a raw mail:", error)
    else:
        raise SystemExit(f"{sender!r} is taken")
asyncio.run(send(mail, ""))
asyncio.run(sendmail())
controller.stop()
print(senders)
assert senders in (["", ""], ["<>", "<>"])
PYTHON
