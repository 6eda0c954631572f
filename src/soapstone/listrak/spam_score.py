"""How much a message looks like spam (lk-102)."""

from __future__ import annotations

import logging

from soapstone.errors import InvalidError
from soapstone.listrak.call import Call
from soapstone.listrak.operations import GetSpamScore
from soapstone.listrak.sends import draft_of
from soapstone.listrak.types import SpamAssassinScore, WSSpamScore
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.mail.spamd import ScannerError
from soapstone.wire.faults import Fault

log = logging.getLogger(__name__)

# What is answered without a scanner.
POINTS_REQUIRED = 5.0


def get_spam_score(call: Call, request: GetSpamScore) -> WSSpamScore | None:
    """Return what the scanner says of a message to one address, no points without a scanner; nil for an unknown list
    (lk-19).

    Raises InvalidError for an invalid address, and Fault if the scanner does not answer.
    """
    asked = request.WSMessage
    if asked is None:
        raise InvalidError("WSMessage is missing.")
    found = call.find_list(asked.ListID)
    if found is None:
        return None
    address = (request.TestEmail or "").strip()
    if not is_mailbox(address):
        raise InvalidError("TestEmail is not an e-mail address.")
    person = call.product.subscriptions().find(call.account, found, address)
    scanner = call.product.spam_scanner
    try:
        mail = call.product.samples.mail(found, draft_of(asked), address, person)
        if scanner is None:
            return WSSpamScore(PointsReceived=0.0, PointsRequired=POINTS_REQUIRED, Scores=[])
        score = scanner.scan(mail)
    except ScannerError as trouble:
        log.warning("the spam scanner gave no score: %s", trouble)
        raise Fault("[InternalError] The spam scanner does not answer.") from None
    rules = [
        SpamAssassinScore(Points=each.points, Rule=each.name, Description=each.description) for each in score.rules
    ]
    return WSSpamScore(PointsReceived=score.points, PointsRequired=score.required, Scores=rules)
