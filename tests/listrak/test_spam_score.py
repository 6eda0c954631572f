"""GetSpamScore through a stock client, with a scanner, with one that fails, and without any (lk-102)."""

from __future__ import annotations

from collections.abc import Iterator
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import zeep.exceptions
from tests.conftest import LocalServed, locally_served
from tests.sending.spamd import FakeScanner

PUBLIC = "https://lists.example"


@pytest.fixture(scope="module")
def scanner() -> Iterator[FakeScanner]:
    with FakeScanner() as running:
        yield running
        running.shutdown()


@pytest.fixture(scope="module")
def scanning(
    scanner: FakeScanner, tmp_path_factory: pytest.TempPathFactory, demo_records: Path
) -> Iterator[LocalServed]:
    """A server with a scanner."""
    data = tmp_path_factory.mktemp("scanning") / "data"
    with locally_served(data, demo_records, spamd_url=scanner.url, public_url=PUBLIC) as running:
        yield running


@pytest.fixture(scope="module", params=["1.1", "1.2"])
def asking(request: pytest.FixtureRequest, scanning: LocalServed, client_class: Any) -> Any:
    """A client of the server with a scanner."""
    return client_class(scanning.base, request.param)


def message(list_id: int, **members: Any) -> dict[str, Any]:
    given = {"ListID": list_id, "ListCampaignID": 0, "CharacterSetID": 0, "Subject": "News", "TextBody": "Hello"}
    return {**given, "EnablePassalong": False, "EnableTracking": False, **members}


def test_lk_102_what_the_scanner_says(asking: Any, scanner: FakeScanner) -> None:
    scanner.mood = ""
    score = asking.GetSpamScore(message(asking.create(), Subject="GTUBE"), "ann@example.org")
    assert (score["PointsReceived"], score["PointsRequired"]) == (1003.1, 5.0)
    assert [(each["Rule"], each["Points"]) for each in score["Scores"]] == [
        ("NO_RELAYS", 0.0),
        ("DRUG_ED_CAPS", 2.8),
        ("A_RULE_WITH_A_NAME_LONGER_THAN_ITS_COLUMN", 0.3),
        ("GTUBE", 1000.0),
    ]
    assert score["Scores"][1]["Description"] == "BODY: Mentions an E.D. drug"


def test_lk_102_the_mail_is_that_of_the_test_contact(asking: Any, scanner: FakeScanner) -> None:
    """With the contact's values and the links of its list; nothing is stored or sent."""
    scanner.mood = ""
    list_id = asking.create(EnableRemovalLink=True, EnableListRemoveHeader=True, ListName="Paper")
    colour = asking.attribute(list_id, "Colour")
    address = f"{uuid4()}@example.org"
    contact = {"EmailAddress": address, "ListID": list_id}
    asking.SetContact(
        {**contact, "ContactProfileAttribute": [{"AttributeID": colour, "Value": "green"}]}, "Update", "", False
    )
    asked = message(list_id, Subject="{{ Colour }}", HTMLBody="<p>{{ Email }}</p>", ToName="Ann", CharacterSetID=2)
    for to, value in ((address, "green"), ("stranger@example.org", "")):
        asking.GetSpamScore(asked, to)
        mail: Any = BytesParser(policy=policy.SMTP).parsebytes(scanner.mails[-1])
        assert (mail["Subject"] or "", mail["To"], mail["From"]) == (value, f"Ann <{to}>", "Ann <ann@example>")
        html = mail.get_body(("html",)).get_content()
        assert f"<p>{to}</p>" in html
        assert f'href="{PUBLIC}/u/' in html
        assert mail["List-Unsubscribe"].startswith(f"<{PUBLIC}/u/")
        assert mail["List-Id"].startswith("Paper")
        assert mail["Message-ID"]
        assert mail["Date"]
    assert not asking.GetSavedMessageCollection(list_id)


@pytest.mark.parametrize("mood", ["error", "cut", "silent"])
def test_a_scanner_that_fails(asking: Any, scanner: FakeScanner, mood: str) -> None:
    """lk-17, lk-18, lk-102: the details are for the log."""
    scanner.mood = mood
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InternalError\] The spam scanner does not answer\.$"):
        asking.GetSpamScore(message(asking.create()), "ann@example.org")


def test_what_cannot_be_scanned(asking: Any, scanner: FakeScanner) -> None:
    """lk-17, lk-19, lk-98"""
    scanner.mood = ""
    list_id, before = asking.create(), len(scanner.mails)
    for members, address, sentence in (
        ({}, "", "TestEmail is not an e-mail address."),
        ({}, "ann", "TestEmail is not an e-mail address."),
        ({"Subject": ""}, "ann@example.org", "The message has no subject."),
        ({"TextBody": "{{ Nme }}"}, "ann@example.org", "The message uses unknown merge field: Nme."),
        ({"TextBody": "x" * 540_000}, "ann@example.org", "The mail is larger than 512000 bytes"),
    ):
        with pytest.raises(zeep.exceptions.Fault) as refused:
            asking.GetSpamScore(message(list_id, **members), address)
        assert f"[InvalidArgument] {sentence}" in str(refused.value)
    assert asking.GetSpamScore(message(987654), "ann@example.org") is None
    assert len(scanner.mails) == before


def test_lk_102_without_a_scanner(listrak: Any) -> None:
    """0 points of 5 and no rules; what could not be sent is refused all the same."""
    list_id = listrak.create()
    score = listrak.GetSpamScore(message(list_id, Subject="GTUBE"), "ann@example.org")
    assert (score["PointsReceived"], score["PointsRequired"], score["Scores"]) == (0.0, 5.0, [])
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] The message has no subject\."):
        listrak.GetSpamScore(message(list_id, Subject=""), "ann@example.org")
