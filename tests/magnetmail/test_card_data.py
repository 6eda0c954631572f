"""Card data that somebody sends is refused and is nowhere afterwards, whatever is wrong with the call (mm-127)."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

from soapstone.magnetmail import types
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database

CARD = "4012888888881881"
NAME = "Holder Of A Card"
ENVELOPES = {
    "1.1": ("http://schemas.xmlsoap.org/soap/envelope/", {"Content-Type": "text/xml; charset=utf-8"}),
    "1.2": ("http://www.w3.org/2003/05/soap-envelope", {"Content-Type": "application/soap+xml; charset=utf-8"}),
}
PAYMENT = (
    f"<PaymentInfo><CreditCardInfo><CardName>{NAME}</CardName><CardNumber>{CARD}</CardNumber></CreditCardInfo>"
    "<Mode>card</Mode></PaymentInfo>"
)
BEFORE = "<EventId>{event}</EventId>"
BODIES = {
    "well-formed": f"{BEFORE}{PAYMENT}",
    "another order": f"{PAYMENT}{BEFORE}",
    "a member that is no number": f"{PAYMENT}<EventId>first</EventId>",
    "an end that is missing": f"{BEFORE}{PAYMENT}<Registrants>",
    "the card in a place that is not its own": f"{BEFORE}<CardNumber>{CARD}</CardNumber>{PAYMENT}",
    "a character that XML does not know": f"{BEFORE}{PAYMENT}&nothing;",
}


@pytest.fixture(scope="module")
def event(served: Any) -> Any:
    database = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    records = Product.open(Settings(data_dir=served.data), database)
    account = records.accounts.named("DEMO")
    assert account is not None
    yield records.event_sign_ups.add(account.id, "Dinner").id
    database.close()


@pytest.mark.parametrize("version", ENVELOPES)
@pytest.mark.parametrize("fault", BODIES)
def test_it_is_neither_told_nor_kept(served: Any, client_class: Any, event: int, version: str, fault: str) -> None:
    header = client_class(served.base, version).header
    uri, types = ENVELOPES[version]
    action = "http://www.magnetmail.net/CreateEventSignUp"
    session = f"<sessionId>{header['sessionId']}</sessionId><user_id>{header['user_id']}</user_id>"
    document = (
        f'<s:Envelope xmlns:s="{uri}" xmlns="http://www.magnetmail.net/">'
        f"<s:Header><mmAuthHeader>{session}</mmAuthHeader></s:Header>"
        f"<s:Body><CreateEventSignUp><SignUp>{BODIES[fault].format(event=event)}</SignUp></CreateEventSignUp></s:Body>"
        "</s:Envelope>"
    )
    headers = {**types, "SOAPAction": f'"{action}"'}
    request = urllib.request.Request(f"{served.base}/mmapi.asmx", document.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer = reply.read().decode()
            assert "PAYMENT_NOT_SUPPORTED" in answer or "NOT_FOUND" in answer, answer
    except urllib.error.HTTPError as refusal:
        with refusal:
            answer = refusal.read().decode()
    assert (fault == "well-formed") <= ("PAYMENT_NOT_SUPPORTED" in answer)
    kept = [path for path in served.data.rglob("*") if path.is_file()]
    assert served.data / "soapstone.sqlite" in kept
    for secret in (CARD, NAME):
        assert secret not in answer
        assert secret not in served.log()
        assert [path.name for path in kept if secret.encode() in path.read_bytes()] == []


def test_its_picture_in_python_hides_it() -> None:
    """What a traceback or a log line would show of a request."""
    # Members that are left out take the defaults of their types.
    make: Any = types
    card = make.CreditCardInfo(CardNumber=CARD, CardName=NAME, CardExpiry="12/27", CardIndentificationNumber="4711")
    paid = make.PaymentInfo(CreditCardInfo=card)
    for shown in (card, paid, make.EventSignUp(PaymentInfo=paid)):
        assert not [secret for secret in (CARD, NAME, "12/27", "4711") if secret in repr(shown)]
