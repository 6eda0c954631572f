"""Mails that were damaged, or made to be slow: each is read in bounded time, and none makes a fault."""

from __future__ import annotations

import random
import time

import pytest
from tests.tracking.reports import block, complaint, plain, report
from tests.tracking.test_delivery_reports import FORMS, TEXTS

from soapstone.tracking.incoming_mails import classify
from soapstone.tracking.mail_parts import MOST_PARTS, read_mail

MAILS = [
    *(report(status) for status, _, _ in FORMS.values()),
    *(plain(text, head=head) for text, head, _, _ in TEXTS.values()),
    complaint(),
]
PIECES = (
    b"\n\n", b"--", b";", b"<", b"@", b":", b"\r\n", b"=", b"550-", b"550 5.1.1 ", b"\x00", b"\xff", b"--cut\n",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n",
    b"Content-Type: multipart/mixed; boundary=a\n", b'boundary="', b"X-Failed-Recipients: ",
)  # fmt: skip
SLOW = {
    "one long address": b"X-Failed-Recipients: " + b"a" * 250_000,
    "parameters": b"Content-Type: multipart/mixed;" + b" ;" * 100_000 + b"\n\nx",
    "addresses": b"From: MAILER-DAEMON\n\nfollowing addresses failed\n" + b"a@" * 120_000,
    "lines of a reply": b"From: MAILER-DAEMON\n\nfollowing addresses failed\nx@y.z\n" + b"550-a\n" * 40_000,
    "fields": b"a: b\n" * 50_000,
    "one field": b"Content-Type: message/delivery-status\n\nFinal-Recipient: " + b" ;" * 120_000,
    "dashes": b"From: MAILER-DAEMON\n\n" + b"-" * 250_000,
    "stems": b"To: " + (b"a" * 32 + b" ") * 7_000,
    "boundaries": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\n" * 50_000,
}


def test_damaged_mails() -> None:
    chance = random.Random(17)
    for _ in range(5_000):
        mail = bytearray(chance.choice(MAILS))
        for _ in range(chance.randrange(1, 20)):
            place = chance.randrange(len(mail) + 1)
            if chance.random() < 0.5:
                mail[place:place] = chance.choice(PIECES)
            elif chance.random() < 0.5:
                del mail[place : place + chance.randrange(30)]
            else:
                mail[place:place] = chance.randbytes(4)
        found = classify(read_mail(bytes(mail)))
        for each in found.report.recipients if found.report else ():
            assert "\x00" not in each.address + each.action + (each.bounce.detail if each.bounce else "")


@pytest.mark.parametrize("name", SLOW)
def test_slow_mails(name: str) -> None:
    started = time.process_time()
    found = classify(read_mail(SLOW[name]))
    assert len(found.mail.parts) <= MOST_PARTS
    assert time.process_time() - started < 1


def test_a_report_costs_little() -> None:
    """A millisecond at most; ten times as much here, since machines are busy."""
    raw = report(block(status="5.1.1", diagnostic="550 5.1.1 no")) + b"x" * 20_000
    started = time.process_time()
    for _ in range(100):
        classify(read_mail(raw))
    assert (time.process_time() - started) / 100 < 0.01
