"""Which mails have a visible link to unsubscribe, and what a send keeps about it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from soapstone.lists.lists import ContactList, Lists
from soapstone.sending.messages.message import Draft
from soapstone.sending.messages.unsubscribe_link import NoUnsubscribeLinkError
from soapstone.sending.send_records import SendTicket
from soapstone.sending.sends import Sends
from soapstone.sending.supplied_file import FileForm

LINK = "{{ unsubscribe_link }}"

Submit = Callable[..., list[SendTicket]]


@pytest.fixture(params=["members", "file", "groups"])
def submit(office: Any, request: pytest.FixtureRequest) -> Submit:
    """Submits a send to many people in one of the ways that can ask for a link."""
    return submitting(office, request.param)


def submitting(office: Any, way: str) -> Submit:
    """Return what submits a send to many people in this way, by a server that can make links or not."""

    def call(draft: Draft, contact_list: ContactList, *, has_links: bool = True, **given: Any) -> list[SendTicket]:
        sends = Sends(office.database, office.blobs, office.jobs, has_links=has_links)
        common: dict[str, Any] = {"account": office.account, "login": None, "message": draft, **given}
        match way:
            case "list":
                return [sends.to_list(contact_list=contact_list, **common)]
            case "members":
                return [sends.to_members(contact_list=contact_list, **common)]
            case "groups":
                common["message"] = office.messages.save(office.account.id, contact_list.id, draft)
                return sends.to_groups(groups=[contact_list], **common)
        upload = office.blobs.new()
        upload.write(b"EmailAddress\nann@example.com\n")
        upload.close()
        try:
            return [sends.to_file(contact_list=contact_list, upload=upload, file=FileForm(), **common)]
        finally:
            upload.discard()

    return call


def list_with(office: Any, **settings: Any) -> ContactList:
    found = Lists(office.database).change(office.account.id, office.list.id, settings=settings)
    assert found is not None
    return found


def draft(**parts: str) -> Draft:
    return Draft(**{"subject": "News", "from_address": "ann@example.com", "plain": "Hello", **parts})


@pytest.mark.parametrize(
    ("parts", "removal_link", "has_link"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"plain": f"Leave: {LINK}"}, False, True),
        ({"plain": "", "html": f"<a href='{LINK}'>Leave</a>"}, False, True),
        ({"html": f"<a href='{LINK}'>Leave</a>"}, False, True),
        # Where nobody can follow it, or that leads elsewhere.
        ({"subject": f"Leave: {LINK}"}, False, False),
        ({"to_name": LINK}, False, False),
        ({"plain": "{{ browser_link }}"}, False, False),
        ({"html": f"<title>{LINK}</title><!-- {LINK} --><a href='{LINK}'></a>Hi"}, False, False),
        ({"plain": f"{{% if city %}}{LINK}{{% endif %}}"}, False, False),
    ],
)
def test_a_link_is_in_a_body(
    office: Any, submit: Submit, parts: dict[str, str], removal_link: bool, has_link: bool
) -> None:
    """Neither does the header count, which most lists have (lk-110)."""
    contact_list = list_with(office, removal_link=removal_link, list_remove_header=True)
    if has_link:
        (ticket,) = submit(draft(**parts), contact_list, unsubscribe="link")
        assert ticket.job.request["unsubscribe"] == "link"
        return
    with pytest.raises(NoUnsubscribeLinkError) as refused:
        submit(draft(**parts), contact_list, unsubscribe="link")
    assert (refused.value.list_id, refused.value.url_missing) == (contact_list.id, False)
    assert office.jobs.find() == []
    assert list(office.blobs.folder.glob("*")) == []


def test_a_server_without_a_public_url_makes_no_link(office: Any, submit: Submit) -> None:
    contact_list = list_with(office, removal_link=True)
    with pytest.raises(NoUnsubscribeLinkError) as refused:
        submit(draft(), contact_list, has_links=False, unsubscribe="link")
    assert refused.value.url_missing
    submit(draft(), contact_list, has_links=False, unsubscribe="none")


@pytest.mark.parametrize("way", ["list", "members", "file", "groups"])
def test_contracts_that_cannot_ask_go_on_with_a_warning(
    office: Any, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    submit, contact_list = submitting(office, way), list_with(office, removal_link=False)
    with caplog.at_level(logging.WARNING):
        (ticket,) = submit(draft(), contact_list)
        (linked,) = submit(draft(plain=LINK), contact_list)
    warned = [record.getMessage() for record in caplog.records if record.name == "soapstone.sending.sends"]
    assert warned == [f"the mails of send {ticket.job.id} to list {contact_list.id} have no link to unsubscribe"]
    assert [each.job.request.get("unsubscribe") for each in (ticket, linked)] == ["missing", None]


def test_a_mail_without_a_link_is_a_choice(office: Any, submit: Submit, caplog: pytest.LogCaptureFixture) -> None:
    contact_list = list_with(office, removal_link=False)
    with caplog.at_level(logging.WARNING):
        (chosen,) = submit(draft(), contact_list, unsubscribe="none")
    assert not [record for record in caplog.records if record.name == "soapstone.sending.sends"]
    assert chosen.job.request.get("unsubscribe") == "none"


def test_no_mail_goes_out_when_the_worker_cannot_make_the_promised_link(office: Any, submit: Submit) -> None:
    """The process that accepts a send may know the public URL, and the worker not."""
    office.contact("ann@example.com")
    (ticket,) = submit(draft(), list_with(office, removal_link=True), unsubscribe="link")
    office.work()
    job = office.job(ticket)
    sentence = "The mails would have no link to unsubscribe: SOAPSTONE_PUBLIC_URL is not set."
    assert (job.state, job.error) == ("failed", sentence)
    assert office.ledger(ticket) == []
    assert office.mails() == {}
