"""Reports of relay services: signed calls, in the forms of their public documentation, with values of our own."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_elliptic_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import CertificateBuilder, Name, random_serial_number
from sqlalchemy import select
from tests.api.conftest import Within
from tests.sending.conftest import Office, parse
from tests.tracking.test_incoming_mails import Post

from soapstone.product import Product
from soapstone.relay_calls import relay_calls
from soapstone.runners import mail_options
from soapstone.sending.mail.builder import MailBuilder
from soapstone.settings import Settings
from soapstone.store.tables import bounces

ANN = "ann@receiver.example"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem"
SUBSCRIBE = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=abc"
_ELLIPTIC = generate_elliptic_key(SECP256R1())

Call = tuple[dict[str, str], bytes]


@cache
def rsa_key() -> RSAPrivateKey:
    """The key of the service, whose making takes up to half a second: only processes that run these tests wait."""
    return generate_private_key(65537, 2048)


@cache
def certificate() -> bytes:
    """A certificate of that key."""
    key, now = rsa_key(), datetime.now(UTC)
    builder = CertificateBuilder(Name([]), Name([]), key.public_key(), random_serial_number(), now, now + timedelta(1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def mailgun(event: dict[str, Any]) -> Call:
    stamp, token = "1795916561", "0123456789abcdef"
    signature = hmac.digest(b"the key", f"{stamp}{token}".encode(), "sha256").hex()
    signed = {"timestamp": stamp, "token": token, "signature": signature}
    return {}, json.dumps({"signature": signed, "event-data": event}).encode()


def postmark(event: dict[str, Any]) -> Call:
    return {"Authorization": "Basic " + b64encode(b"postmark:the key").decode()}, json.dumps(event).encode()


def sendgrid(*events: dict[str, Any]) -> Call:
    body, stamp = json.dumps(events).encode(), "1795916561"
    signature = _ELLIPTIC.sign(stamp.encode() + body, ECDSA(SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }, body


def sns(message: Any, version: str = "1", **parts: str) -> Call:
    given = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Message": json.dumps(message),
        "Timestamp": "2026-11-29T01:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **parts,
    }
    names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{given[name]}\n" for name in names if name in given)
    signature = rsa_key().sign(text.encode(), PKCS1v15(), SHA256() if version == "2" else SHA1())
    return {}, json.dumps(given | {"Signature": b64encode(signature).decode()}).encode()


KEYS = {
    "mailgun": "the key",
    "postmark": "the key",
    "sendgrid": b64encode(
        _ELLIPTIC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
    "ses": TOPIC,
}
BOUNCES: dict[str, Callable[[str, str], Call]] = {
    "mailgun": lambda stem, code: mailgun(
        {
            "id": f"e-{stem}",
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "recipient": ANN,
            "user-variables": {"stem": stem},
            "delivery-status": {"code": 550, "message": f"{code} said the server", "description": ""},
        }
    ),
    "postmark": lambda stem, code: postmark(
        {
            "RecordType": "Bounce",
            "ID": 42,
            "Type": "HardBounce",
            "Email": ANN,
            "Metadata": {"stem": stem},
            "Details": f"smtp;550 {code} said the server",
        }
    ),
    "sendgrid": lambda stem, code: sendgrid(
        {"email": ANN, "event": "delivered", "sg_event_id": "d", "stem": stem},
        {"email": ANN, "event": "bounce", "type": "bounce", "sg_event_id": "b", "stem": stem, "status": code,
         "reason": f"550 {code} said the server"},
    ),
    "ses": lambda stem, code: sns(
        {
            "eventType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "feedbackId": "f-1",
                "bouncedRecipients": [
                    {"emailAddress": ANN, "action": "failed", "status": code,
                     "diagnosticCode": f"smtp; 550 {code} said the server"}
                ],
            },
            "mail": {"messageId": "m", "tags": {"stem": [stem]}},
        }
    ),
}  # fmt: skip
COMPLAINTS: dict[str, Callable[[str], Call]] = {
    "mailgun": lambda stem: mailgun(
        {"id": "c", "event": "complained", "recipient": ANN, "user-variables": {"stem": stem}}
    ),
    "postmark": lambda stem: postmark(
        {"RecordType": "SpamComplaint", "ID": 43, "Type": "SpamComplaint", "Email": ANN, "Metadata": {"stem": stem}}
    ),
    "sendgrid": lambda stem: sendgrid({"email": ANN, "event": "spamreport", "sg_event_id": "s", "stem": stem}),
    "ses": lambda stem: sns(
        {
            "notificationType": "Complaint",
            "complaint": {"feedbackId": "c", "complainedRecipients": [{"emailAddress": ANN}]},
            # As it is without a configuration set.
            "mail": {"messageId": "m", "headers": [{"name": "X-SES-MESSAGE-TAGS", "value": f"stem={stem}"}]},
        },
        "2",
    ),
}
QUIET: dict[str, Callable[[str], Call]] = {
    "mailgun": lambda stem: mailgun(
        {"id": "d", "event": "failed", "severity": "temporary", "user-variables": {"stem": stem}}
    ),
    "postmark": lambda stem: postmark(
        {"RecordType": "Bounce", "ID": 44, "Type": "AutoResponder", "Metadata": {"stem": stem}}
    ),
    "sendgrid": lambda stem: sendgrid({"event": "deferred", "sg_event_id": "d", "stem": stem}),
    "ses": lambda stem: sns(
        {"eventType": "Bounce", "mail": {"tags": {"stem": [stem]}},
         "bounce": {"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList", "feedbackId": "q"}}
    ),
}  # fmt: skip


class Service:
    """A relay service, and a mail that it was sent."""

    def __init__(self, name: str, post: Post, settings: Settings) -> None:
        self.name, self.post = name, post
        self.product = Product.open(settings, post.office.database)
        assert self.product.relay is not None
        self.fetched: list[str] = []
        self.product.relay._fetch = self._fetch
        self._app = Within(relay_calls(self.product))
        (self.row,) = post.send(ANN)
        self.stem = self.product.stems.make(self.row.message_id, self.row.id)

    def _fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return certificate() if url == CERTIFICATE else b""

    def call(self, call: Call, name: str = "") -> int:
        headers, body = call
        with httpx.Client(transport=self._app, base_url="http://127.0.0.1") as client:
            return client.post(f"/relay/{name or self.name}", content=body, headers=headers).status_code


@pytest.fixture(params=KEYS)
def service(request: pytest.FixtureRequest, office: Office, tmp_path: Any) -> Service:
    name = request.param
    return Service(name, Post(office), Settings(data_dir=tmp_path / "data", relay=name, relay_key=KEYS[name]))


def test_a_bounce_counts_once(service: Service) -> None:
    for _ in range(2):
        assert service.call(BOUNCES[service.name](service.stem, "5.1.1")) == 200
    assert service.post.state(service.row) == "bounced"
    with service.post.office.database.read() as connection:
        found = connection.execute(select(bounces)).one()
    assert (found.reason, found.code) == ("Invalid Address", "5.1.1")
    assert found.detail.endswith("5.1.1 said the server")


def test_a_wrong_password_is_a_failed_logon(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """fail2ban can stop those who guess; a forged signature is no guess, and neither is a call without a password."""
    headers, body = BOUNCES[service.name](service.stem, "5.1.1")
    guess = {"Authorization": "Basic " + b64encode(b"postmark:a guess").decode()} if service.name == "postmark" else {}
    for given in ({}, guess):
        caplog.clear()
        service.call(({"Content-Type": headers.get("Content-Type", "")} | given, body))
        told = [each.__dict__["reason"] for each in caplog.records if each.message == "failed logon"]
        assert told == (["password"] if given else [])


def test_a_complaint(service: Service) -> None:
    """lk-119, mm-123"""
    assert service.call(COMPLAINTS[service.name](service.stem)) == 200
    assert service.post.member(service.row.contact_id).removed_by == "Feedback Loop"
    assert service.post.suppressed(ANN)


def test_what_is_no_bounce(service: Service) -> None:
    assert service.call(QUIET[service.name](service.stem)) == 200
    assert service.post.state(service.row) == "handed"


def test_what_is_not_signed(service: Service) -> None:
    headers, body = BOUNCES[service.name](service.stem, "5.1.1")
    # A good signature of something else: SNS and SendGrid sign the content, the others know the key.
    wrong = {name: value[:-4] + "AAA=" for name, value in headers.items()}
    changed = body.replace(b"5.1.1", b"5.1.2") if service.name in ("ses", "sendgrid") else body.replace(b"a", b"b")
    for call in ((wrong, body if headers else changed), (headers if service.name != "postmark" else {}, changed)):
        assert service.call(call) in (400, 403)
    assert service.post.state(service.row) == "handed"
    # The signature of the service is not the mail's.
    other = service.stem[:-1] + ("a" if service.stem[-1] != "a" else "b")
    assert service.call(BOUNCES[service.name](other, "5.1.1")) == 200
    assert service.post.state(service.row) == "handed"


def test_calls_that_are_no_calls(service: Service) -> None:
    for body in (b"", b"[", b"[]", b"{}", b"null", b'{"signature": []}', b"[" * 100_000, b"\xff"):
        assert service.call(({"Authorization": "Basic " + b64encode(b"x:the key").decode()}, body)) in (200, 400, 403)
    assert service.call(({}, b"x" * (5 << 20))) == 413
    other = next(name for name in KEYS if name != service.name)
    assert service.call(BOUNCES[other](service.stem, "5.1.1"), other) == 404
    assert service.post.state(service.row) == "handed"


def test_the_header_that_returns_the_stem(service: Service) -> None:
    post, row = service.post, service.row
    job = post.office.jobs.get(None, row.job_id)
    assert job is not None
    builder = MailBuilder(post.office.database, job, row.message_id, mail_options(service.product))
    found = builder.one(row.id)
    assert found is not None
    content = parse(builder.content_for(found))
    names = {"mailgun": "X-Mailgun-Variables", "postmark": "X-PM-Metadata-stem", "sendgrid": "X-SMTPAPI",
             "ses": "X-SES-MESSAGE-TAGS"}  # fmt: skip
    assert service.stem in str(content[names[service.name]])


def test_a_topic_is_subscribed_and_others_are_refused(office: Office, tmp_path: Any) -> None:
    service = Service("ses", Post(office), Settings(data_dir=tmp_path / "data", relay="ses", relay_key=TOPIC))
    asks = {"Type": "SubscriptionConfirmation", "Token": "abc"}
    assert service.call(sns({}, SubscribeURL=SUBSCRIBE, **asks)) == 200
    assert service.fetched == [CERTIFICATE, SUBSCRIBE]
    service.fetched.clear()
    evil = "https://sns.eu-west-1.amazonaws.com.example.com/"
    for url in ("https://example.com/?x", "http://sns.eu-west-1.amazonaws.com/", evil):
        assert service.call(sns({}, SubscribeURL=url, **asks)) == 400
    assert service.call(sns({}, SubscribeURL=SUBSCRIBE, TopicArn="arn:aws:sns:other", **asks)) == 403
    for url in ("https://example.com/x.pem", "https://sns.eu-west-1.amazonaws.com/x", "file:///etc/passwd.pem"):
        assert service.call(sns({}, SigningCertURL=url)) == 403
    assert service.fetched == []


def test_sentences_of_a_topic_are_no_reports(office: Office, tmp_path: Any) -> None:
    """SES tries a topic by a sentence, and SNS says by one that a subscription ends; an error makes it come again."""
    service = Service("ses", Post(office), Settings(data_dir=tmp_path / "data", relay="ses", relay_key=TOPIC))
    assert service.call(sns("", Message="The topic works.")) == 200
    ends = {"Type": "UnsubscribeConfirmation", "Token": "abc", "SubscribeURL": SUBSCRIBE}
    assert service.call(sns("", Message="The subscription has ended.", **ends)) == 200
    # What a forger says is refused all the same, and nobody subscribes again.
    headers, body = sns("", Message="The topic works.")
    assert service.call((headers, body.replace(b"works", b"fails"))) == 403
    assert service.fetched == [CERTIFICATE]
    for broken in ("{", '{"eventType": "Bounce"}'):
        assert service.call(sns("", Message=broken)) == 400
