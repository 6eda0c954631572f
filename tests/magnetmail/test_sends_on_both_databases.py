"""Sends and messages without a wire, on SQLite and PostgreSQL; and the answer of a send that nobody works on."""

from __future__ import annotations

import datetime
from email import message_from_bytes, policy
from typing import Any

import pytest

from soapstone.magnetmail import sends, types
from soapstone.magnetmail.sent_status import SHORT, sent_status
from soapstone.vocabulary.tracking import BounceClass

make: Any = types


def letter(desk: Any, **members: Any) -> int:
    given = {"message_name": "May", "SubjectLine": "May", "FromAddress": "ann@example.com", "text_version": "Hello"}
    made = desk.createMagnetMailMessage(message=make.MessageDetails(**{**given, **members}))
    assert made.error == 0, made.msg
    return int(made.message_id)


def person(desk: Any, name: str, *groups: int) -> int:
    return int(desk.addRecipient(email=f"{name}@example.com", Groups=list(groups)).id)


def mailed(desk: Any) -> list[tuple[str, str]]:
    """Recipient and subject of each mail, in the order of their names."""
    found = []
    for path in sorted(desk.product.settings.mail.glob("*.eml")):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        found.append((str(mail["To"]).partition("@")[0], str(mail["Subject"])))
    return sorted(found)


def test_a_send_to_groups(desk: Any) -> None:
    """mm-101 to mm-109"""
    one, two, out = (desk.group(name).id for name in ("One", "Two", "Out"))
    for name, groups in (("ann", (one, two)), ("bob", (two,)), ("cid", (one, out)), ("dot", (one,))):
        person(desk, name, *groups)
    message = letter(desk, html_version_block1='<a href="https://example.com/">x</a>')
    blocked = [make.Recipient(email="dot@example.com")]
    desk.uploadSuppressionList(
        suppressionlist=make.RecipientSuppressionList(
            suppressby=types.SuppressionIdentity.Email, type=types.SuppressionType.Email, recipients=blocked
        )
    )
    notice = make.sendNotification(
        complete_notification=True,
        send_complete_notification_from="desk@example.com",
        send_complete_notification_to="boss@example.com",
    )
    answer = desk.sendMessageToGroup(
        message_id=message,
        group_ids=[two, one],
        filteredout_groups=[out],
        test_emails=["tess@example.com"],
        job_notification=notice,
        sendDespiteBadFrom=True,
    )
    assert answer.error == 0, answer.msg
    assert len(answer.email_job_ids) == 2
    desk.work()
    assert mailed(desk) == [("ann", "May"), ("bob", "May"), ("boss", "Sent: May"), ("tess", "May")]
    everything = dict.fromkeys(("archived", "hidden", "hasFax", "hasEmail"), types.bool_special.all)
    (row,) = desk.getMessages(**everything)
    # The second group's only other member was left out, so the message did not go there.
    assert [each.group_id for each in row.GroupsEmailSentTo] == [two]
    assert row.message.lastSent == row.GroupsEmailSentTo[0].sent_date
    sent = row.message.lastSent
    assert len(desk.getMessageList(**everything, sentStartDate=sent, sentEndDate=sent)) == 1
    assert desk.getMessageList(**everything, sentStartDate=sent + datetime.timedelta(seconds=1)) == []
    assert [each.link_url for each in desk.getLinkURLs(message_id=message, group_id=two)] == ["https://example.com/"]
    assert desk.getLinkURLs(message_id=message, group_id=out) == []


def test_a_send_that_nobody_works_on(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-101: the answer does not wait for ever, and counts what is handed over by then; the mails follow."""
    monkeypatch.setattr(sends, "PATIENCE_SECONDS", 0.2)
    number, message = person(desk, "ann"), letter(desk)
    for _ in range(2):
        answer = desk.sendEmailToIndividual(
            message_id=message, recipients=[str(number), "17"], recp_type=types.recipient_type.recipient_id
        )
        assert (answer.error, answer.emails_sent, answer.suppressed_emails) == (0, 0, "")
        assert "Not found: 17." in answer.msg
        assert "The rest follows; the send is job" in answer.msg
    assert mailed(desk) == []
    desk.work()
    assert mailed(desk) == [("ann", "May")] * 2


def test_calls_beyond_those_that_may_wait(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-101: they are answered at once, so that sends which take long do not hold up everybody else's calls."""
    monkeypatch.setattr(sends, "PATIENCE_SECONDS", 3600.0)
    taken = 0
    while sends._waiting.acquire(blocking=False):
        taken += 1
    try:
        person(desk, "ann")
        answer = desk.sendEmailToIndividual(message_id=letter(desk), recipients=["ann@example.com"])
    finally:
        sends._waiting.release(taken)
    assert (answer.error, answer.emails_sent) == (0, 0)
    assert taken == 8


def test_people_who_share_an_address_or_have_none(id_desk: Any) -> None:
    """mm-53, mm-101: where a custom id tells people apart."""
    for number, email in (("1", "ann@example.com"), ("2", "ANN@example.com"), ("3", "")):
        assert id_desk.addRecipient(email=email, custom_id=number).error == 0
    message, given = letter(id_desk), {"recp_type": types.recipient_type.custom_id}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sends, "PATIENCE_SECONDS", 0.0)
        answer = id_desk.sendEmailToIndividual(message_id=message, recipients=["1", "2", "3"], **given)
    assert answer.error == 0
    id_desk.work()
    assert mailed(id_desk) == [("ann", "May")]


@pytest.mark.parametrize(
    ("state", "reply", "status"),
    [
        ("handed", "250 2.0.0 OK", "Delivered"),
        ("failed", "550 5.1.1 No such user", "UserNotFound"),
        ("failed", "550-5.1.10 null MX", "BadDomain"),
        ("failed", "552 5.2.2 Over quota", "MailboxFull"),
        ("deferred", "452 4.2.2 Over quota", "MailboxFull"),
        ("deferred", "451 4.7.1 Later", "TemporarilyUnavailable"),
        ("deferred", "", "TemporarilyUnavailable"),
        ("failed", "554 5.7.1 Refused", "SoftBounce"),
        ("failed", "550 No such user", "UserNotFound"),
        ("failed", "The mail is larger than 50 MB.", "Failed"),
        ("failed", "", "Failed"),
        *[(state, "", "InProgress") for state in ("chosen", "built", "handing", "uncertain")],
    ],
)
def test_states_in_the_words_of_the_contract(state: str, reply: str, status: str) -> None:
    """mm-86"""
    assert sent_status(state, reply) == status


def test_the_class_of_a_bounce_decides() -> None:
    """mm-110: whether the mail came back or the server refused it; the short words are those of the long ones."""
    expected = {
        "user": ("UserNotFound", "UNF"),
        "domain": ("BadDomain", "BD"),
        "hard": ("HardBounce", "HB"),
        "full": ("MailboxFull", "MF"),
        "size": ("SoftBounce", "SB"),
        "block": ("SoftBounce", "SB"),
        "content": ("SoftBounce", "SB"),
        "transient": ("TemporarilyUnavailable", "TU"),
        "unknown": ("SoftBounce", "SB"),
    }
    assert {each.value for each in BounceClass} == expected.keys()
    for name, words in expected.items():
        for state in ("bounced", "failed", "handed"):
            status = sent_status(state, "250 2.0.0 OK", BounceClass(name))
            assert (status.value, SHORT[status].value) == words
    assert SHORT.keys() == set(types.MessageSentStatus)
    assert set(SHORT.values()) == set(types.EmailStatus)
