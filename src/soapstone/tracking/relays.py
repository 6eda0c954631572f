"""Reports of relay services, by name: Amazon SES through SNS, Mailgun, Postmark and SendGrid.

A service that sends the mails keeps their bounces and complaints to itself, and tells of them by calls to a URL. Each
mail carries its stem in a header that the service returns in these calls. A call is believed if the service signed it,
and what it says of a mail if the stem is valid.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from soapstone.errors import ForbiddenError, InvalidError
from soapstone.tracking.bounce_classes import Bounce, of_report
from soapstone.vocabulary.tracking import BounceClass, IncomingKind

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

# Reports in one call, and characters of a text.
MOST_REPORTS = 1000
_LONGEST = 1000
# Octets of a certificate.
_LARGEST_CERTIFICATE = 64 << 10
_TIMEOUT = 10.0
_SNS_URL = re.compile(r"https://sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?/[!-~]*")

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, kw_only=True)
class RelayReport:
    """What a service says of one mail: `uid` is its own number of the report, `stem` the mail's, if it is there."""

    kind: IncomingKind
    uid: str
    stem: str
    address: str
    bounce: Bounce | None = None
    feedback_type: str = ""


def fetched(url: str) -> bytes:
    """Return what is at an https URL of the service."""
    with urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - the caller checks scheme and host
        content: bytes = answer.read(_LARGEST_CERTIFICATE)
    return content


class Relay:
    """A service. `key` is what its calls are checked with: see docs/bounces.md. `fetch` gets SNS's certificates.

    Raises InvalidError for a key that no call could be checked with.
    """

    def __init__(self, name: str, key: str, fetch: Fetch = fetched) -> None:
        if fault := _key_fault(name, key):
            raise InvalidError(fault)
        self.name = name
        self._key = key
        self._fetch = fetch
        self._certificates: dict[str, bytes] = {}

    def header(self, stem: str) -> tuple[str, str]:
        """Return the header, name and value, that makes the service return the stem."""
        return {
            "mailgun": ("X-Mailgun-Variables", json.dumps({"stem": stem})),
            "postmark": ("X-PM-Metadata-stem", stem),
            "sendgrid": ("X-SMTPAPI", json.dumps({"unique_args": {"stem": stem}})),
            "ses": ("X-SES-MESSAGE-TAGS", f"stem={stem}"),
        }[self.name]

    def read(self, headers: Mapping[str, str], body: bytes) -> list[RelayReport]:
        """Return the reports of a call; `headers` have lower-case names.

        Raises ForbiddenError for a call that the service did not sign, InvalidError for one that cannot be read.
        """
        try:
            # The signatures of Postmark and SendGrid are of the whole call.
            if self.name == "postmark":
                self._check(_password(headers), self._key)
            elif self.name == "sendgrid":
                self._check_sendgrid(headers, body)
            given = json.loads(body)
            if self.name == "mailgun":
                self._check_mailgun(given)
            elif self.name == "ses":
                given = self._opened(given)
            reader = {"mailgun": _mailgun, "postmark": _postmark, "sendgrid": _sendgrid, "ses": _ses}[self.name]
            return [report for report, _ in zip(reader(given), range(MOST_REPORTS), strict=False)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InvalidError(f"The call is none of {self.name}'s.") from None

    def _check(self, given: str, wanted: str) -> None:
        if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise ForbiddenError(f"The call is not signed by {self.name}.")

    def _check_mailgun(self, given: Any) -> None:
        signed = given["signature"]
        text = f"{signed['timestamp']}{signed['token']}".encode()
        self._check(str(signed["signature"]), hmac.digest(self._key.encode(), text, "sha256").hex())

    def _check_sendgrid(self, headers: Mapping[str, str], body: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        moment = headers.get("x-twilio-email-event-webhook-timestamp", "")
        try:
            signature = b64decode(headers.get("x-twilio-email-event-webhook-signature", ""), validate=True)
            _sendgrid_key(self._key).verify(signature, moment.encode() + body, ECDSA(SHA256()))
        except (InvalidSignature, Base64Error, ValueError):
            raise ForbiddenError("The call is not signed by sendgrid.") from None

    def _opened(self, given: Any) -> Any:
        """Return the message of a call of SNS; confirm a subscription."""
        self._check(str(given["TopicArn"]), self._key)
        self._check_sns(given)
        if given["Type"] == "SubscriptionConfirmation":
            if not _SNS_URL.fullmatch(given["SubscribeURL"]):
                raise ValueError("no URL of SNS")
            self._fetch(given["SubscribeURL"])
            return {}
        # SES tries a topic by a sentence, and SNS says by one that a subscription ends.
        return json.loads(given["Message"]) if given["Message"].startswith("{") else {}

    def _check_sns(self, given: Mapping[str, Any]) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256
        from cryptography.x509 import load_pem_x509_certificate

        url = str(given["SigningCertURL"])
        if not _SNS_URL.fullmatch(url) or not url.endswith(".pem"):
            raise ForbiddenError("The call is not signed by ses.")
        names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        if given["Type"] == "Notification":
            names = [name for name in names if name not in ("SubscribeURL", "Token")]
        text = "".join(f"{name}\n{given[name]}\n" for name in names if given.get(name) is not None)
        if url not in self._certificates:
            # SNS changes its certificate once in a while.
            self._certificates = {url: self._fetch(url)}
        key = load_pem_x509_certificate(self._certificates[url]).public_key()
        # The service still signs with SHA-1 where a topic does not ask for more.
        algorithm = SHA256() if str(given["SignatureVersion"]) == "2" else SHA1()  # noqa: S303
        try:
            if not isinstance(key, RSAPublicKey):
                raise ValueError
            key.verify(b64decode(given["Signature"]), text.encode(), PKCS1v15(), algorithm)
        except (InvalidSignature, Base64Error, ValueError):
            raise ForbiddenError("The call is not signed by ses.") from None


def _key_fault(name: str, key: str) -> str:
    """Say in a sentence why calls of a service cannot be checked with a key; "" when they can."""
    if not key:
        # Whoever calls knows an empty key.
        return f"SOAPSTONE_RELAY is {name}, and SOAPSTONE_RELAY_KEY is not set."
    if name == "sendgrid":
        try:
            _sendgrid_key(key)
        except ValueError:
            return "SOAPSTONE_RELAY_KEY cannot be used: it is not the verification key of SendGrid's signed webhook."
    if name == "ses" and not (key.startswith("arn:") and ":sns:" in key):
        return "SOAPSTONE_RELAY_KEY cannot be used: it is not the ARN of an SNS topic, arn:aws:sns:REGION:ACCOUNT:NAME."
    return ""


def _sendgrid_key(key: str) -> EllipticCurvePublicKey:
    """Return the public key of SendGrid's webhook. Raises ValueError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        found = load_der_public_key(b64decode(key))
    except UnsupportedAlgorithm as unknown:
        raise ValueError("an unknown kind of key") from unknown
    if not isinstance(found, EllipticCurvePublicKey):
        raise ValueError("another kind of key")
    return found


def _password(headers: Mapping[str, str]) -> str:
    """Return the password of Basic credentials, which Postmark takes from the URL that it calls."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    return b64decode(given).decode().partition(":")[2]


def _text(value: Any) -> str:
    return str(value or "").replace("\x00", "")[:_LONGEST]


def _bounced(status: Any, diagnostic: Any, named: BounceClass | None = None) -> Bounce:
    """Return the bounce by the server's words; `named` is the service's class where these tell nothing."""
    told = _text(diagnostic)
    kind, separator, rest = told.partition(";")
    told = rest.strip() if separator and kind.strip().lower() in ("smtp", "x-unix") else told
    found = of_report(status=_text(status), diagnostic=told)
    if found.bounce_class is BounceClass.UNKNOWN and named is not None:
        reason = {
            BounceClass.USER: "Invalid Address",
            BounceClass.DOMAIN: "DNS Failure",
            BounceClass.HARD: "General Hard Bounce",
            BounceClass.FULL: "Mailbox Full",
            BounceClass.SIZE: "Message Too Large",
            BounceClass.BLOCK: "General Mail Block",
            BounceClass.CONTENT: "General Soft Bounce",
            BounceClass.TRANSIENT: "Transient Failure",
        }[named]
        return Bounce(bounce_class=named, reason=reason, code=found.code, detail=found.detail)
    return found


def _mailgun(given: Any) -> Iterator[RelayReport]:
    event = given["event-data"]
    stem = _text((event.get("user-variables") or {}).get("stem"))
    told: dict[str, Any] = {"uid": _text(event["id"]), "stem": stem, "address": _text(event.get("recipient"))}
    if event["event"] == "complained":
        yield RelayReport(kind=IncomingKind.COMPLAINT, feedback_type="abuse", **told)
    elif event["event"] == "failed" and event.get("severity") == "temporary":
        yield RelayReport(kind=IncomingKind.DELAY, **told)
    # Mails to addresses that bounced before are not tried any more: `suppress-…` says nothing new.
    elif event["event"] == "failed" and not str(event.get("reason", "")).startswith("suppress"):
        status = event.get("delivery-status") or {}
        words = f"{_text(status.get('code'))} {_text(status.get('message') or status.get('description'))}"
        bounce = _bounced(status.get("enhanced-code"), words, BounceClass.HARD)
        yield RelayReport(kind=IncomingKind.BOUNCE, bounce=bounce, **told)


_POSTMARK = {
    "HardBounce": BounceClass.HARD,
    "BadEmailAddress": BounceClass.USER,
    "DnsError": BounceClass.TRANSIENT,
    "SoftBounce": BounceClass.TRANSIENT,
    "Undeliverable": BounceClass.TRANSIENT,
    "Blocked": BounceClass.BLOCK,
    "SpamNotification": BounceClass.BLOCK,
    "DMARCPolicy": BounceClass.BLOCK,
    "VirusNotification": BounceClass.CONTENT,
}


def _postmark(given: Any) -> Iterator[RelayReport]:
    stem = _text((given.get("Metadata") or {}).get("stem"))
    told: dict[str, Any] = {"uid": _text(given.get("ID")), "stem": stem, "address": _text(given.get("Email"))}
    if given["RecordType"] == "SpamComplaint":
        yield RelayReport(kind=IncomingKind.COMPLAINT, feedback_type="abuse", **told)
    elif given["RecordType"] == "Bounce":
        if given["Type"] == "SpamComplaint":
            yield RelayReport(kind=IncomingKind.COMPLAINT, feedback_type="abuse", **told)
        elif given["Type"] == "Transient":
            yield RelayReport(kind=IncomingKind.DELAY, **told)
        elif given["Type"] in _POSTMARK:
            bounce = _bounced("", given.get("Details"), _POSTMARK[given["Type"]])
            yield RelayReport(kind=IncomingKind.BOUNCE, bounce=bounce, **told)
        else:
            yield RelayReport(kind=IncomingKind.AUTO_REPLY, **told)


def _sendgrid(given: Any) -> Iterator[RelayReport]:
    for event in given:
        told: dict[str, Any] = {
            "uid": _text(event.get("sg_event_id")),
            "stem": _text(event.get("stem")),
            "address": _text(event.get("email")),
        }
        if event["event"] == "spamreport":
            yield RelayReport(kind=IncomingKind.COMPLAINT, feedback_type="abuse", **told)
        elif event["event"] == "deferred":
            yield RelayReport(kind=IncomingKind.DELAY, **told)
        elif event["event"] == "bounce":
            named = BounceClass.BLOCK if event.get("type") == "blocked" else BounceClass.HARD
            bounce = _bounced(event.get("status"), event.get("reason"), named)
            yield RelayReport(kind=IncomingKind.BOUNCE, bounce=bounce, **told)


def _ses(given: Any) -> Iterator[RelayReport]:
    kind, mail = given.get("eventType") or given.get("notificationType"), given.get("mail") or {}
    tagged = (mail.get("tags") or {}).get("stem") or [""]
    told: dict[str, Any] = {"stem": _text(tagged[0])}
    if not told["stem"]:
        # Without a configuration set there are no tags; the headers are there unless they are turned off.
        values = {str(each["name"]).lower(): _text(each["value"]) for each in mail.get("headers") or []}
        told["stem"] = values.get("x-ses-message-tags", "").removeprefix("stem=") or values.get("cfbl-feedback-id", "")
    if kind == "Complaint":
        complaint = given["complaint"]
        told |= {"uid": _text(complaint.get("feedbackId")), "address": _first(complaint["complainedRecipients"])}
        found = _text(complaint.get("complaintFeedbackType")).lower() or "abuse"
        yield RelayReport(kind=IncomingKind.COMPLAINT, feedback_type=found, **told)
    elif kind == "Bounce":
        bounce = given["bounce"]
        first = (bounce.get("bouncedRecipients") or [{}])[0]
        told |= {"uid": _text(bounce.get("feedbackId")), "address": _text(first.get("emailAddress"))}
        # An address on the service's own list of bounces was not tried.
        if bounce.get("bounceSubType") in ("Suppressed", "OnAccountSuppressionList"):
            return
        named = BounceClass.HARD if bounce.get("bounceType") == "Permanent" else BounceClass.TRANSIENT
        found_bounce = _bounced(first.get("status"), first.get("diagnosticCode"), named)
        yield RelayReport(kind=IncomingKind.BOUNCE, bounce=found_bounce, **told)
    elif kind == "DeliveryDelay":
        told |= {"uid": _text(mail.get("messageId")), "address": _first(given["deliveryDelay"]["delayedRecipients"])}
        yield RelayReport(kind=IncomingKind.DELAY, **told)


def _first(recipients: Any) -> str:
    return _text(recipients[0].get("emailAddress")) if recipients else ""
