"""What is accepted as a send, what is refused, and what is stored then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from soapstone.clock import now
from soapstone.lists.lists import Lists
from soapstone.lists.profiles import Profiles
from soapstone.sending.messages.message import Draft, InvalidMessage
from soapstone.sending.messages.messages import Messages
from soapstone.sending.supplied_file import FileForm, InvalidFile, SuppliedFile
from soapstone.store.tables import jobs


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"subject": " "}, "The message has no subject."),
        ({"plain": "", "html": " \n"}, "The message has no body."),
        ({"from_address": "ann"}, "The sender address is not a valid e-mail address: ann"),
        ({"from_address": "a@example.com\r\nBcc: b@example.com"}, "The sender address is not a valid e-mail address"),
        ({"reply_address": "{{ Email }}"}, "The reply address is not a valid e-mail address: {{ Email }}"),
        ({"subject": "{{ Nme }}"}, "The message uses unknown merge field: Nme."),
        ({"plain": "{{ Nme }} {{ email }} {{ Nmf }}"}, "The message uses unknown merge fields: Nme, Nmf."),
        ({"to_name": "{{ x"}, "The recipient name is not a correct template"),
        ({"html": "{{ x() }}"}, "The HTML body uses what a template may not use, in line 1."),
        ({"subject": "a\0b"}, "The message holds a character that cannot be stored."),
        ({"html": "a\ud800b"}, "The message holds a character that cannot be stored."),
    ],
)
def test_messages_that_cannot_be_sent(office: Any, parts: dict[str, str], sentence: str) -> None:
    """lk-98."""
    with pytest.raises(InvalidMessage) as refused:
        office.to_list(**parts)
    assert str(refused.value).startswith(sentence)
    assert office.jobs.find() == []


def test_empty_sender_fields_take_the_defaults_of_the_list(office: Any) -> None:
    """lk-98."""
    message = office.to_list().message
    assert (message.from_name, message.from_address, message.reply_address) == ("Ann", "ann@example.com", "")
    message = office.to_list(from_name="Eve", from_address="eve@example.com").message
    assert (message.from_name, message.from_address) == ("Eve", "eve@example.com")
    office.list = Lists(office.database).create(office.account.id, "Without sender")
    with pytest.raises(InvalidMessage, match="no sender address"):
        office.to_list()


def test_profile_attributes_of_the_list_are_merge_fields(office: Any) -> None:
    profiles = Profiles(office.database)
    header = profiles.add_header(office.account.id, office.list.id, "About")
    profiles.add_attribute(office.account.id, office.list.id, header, "Shoe size")
    office.to_list(plain="{{ field['shoe SIZE'] }}")
    office.list = replace(office.list, id=Lists(office.database).create(office.account.id, "Other").id)
    with pytest.raises(InvalidMessage, match="unknown merge field: shoe SIZE"):
        office.to_list(plain="{{ field['shoe SIZE'] }}")


def test_a_refused_send_to_file_keeps_no_file(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidMessage):
        office.to_file("EmailAddress\nb@example.com\n", subject="")
    monkeypatch.setattr(office.jobs, "add", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        office.to_file("EmailAddress\nb@example.com\n")
    assert [path for path in office.blobs.folder.iterdir() if not path.name.endswith(".partial")] == []
    assert Messages(office.database).get(office.account.id, 1) is None


def test_job_and_message_of_a_send(office: Any) -> None:
    ticket = office.to_file("b@example.com;1\n", FileForm(name="x.txt", delimiter=";", qualifier="", header=False))
    assert ticket.job.request == {
        "message_id": ticket.message.id,
        "file": {"delimiter": ";", "qualifier": "", "header": False},
        "unsubscribe": "missing",
    }
    assert (ticket.job.label, ticket.job.blob_size, ticket.job.list_id) == ("x.txt", 16, office.list.id)
    assert (ticket.message.list_id, ticket.message.account_id) == (office.list.id, office.account.id)


def test_a_saved_message_may_wait_for_the_rest(office: Any) -> None:
    messages = Messages(office.database)
    saved = messages.save(office.account.id, office.list.id, Draft(subject=""))
    assert messages.get(office.account.id, saved.id) == saved
    for draft in (Draft(subject="{{"), Draft(subject="", from_address="x"), Draft(subject="\0")):
        with pytest.raises(InvalidMessage):
            messages.save(office.account.id, office.list.id, draft)


@pytest.mark.parametrize(
    "form", [{"delimiter": ",,"}, {"delimiter": "\n"}, {"qualifier": "''"}, {"qualifier": "\r"}, {"qualifier": ","}]
)
def test_forms_that_no_file_has(form: dict[str, str]) -> None:
    with pytest.raises(InvalidFile):
        FileForm(**form)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "form", "rows"),
    [
        ("EmailAddress,A\nb@x.de,1\n", {}, [("b@x.de", {"emailaddress": "b@x.de", "a": "1"})]),
        ("A,EMAILADDRESS\n1, b@x.de \n", {}, [("b@x.de", {"a": "1", "emailaddress": " b@x.de "})]),
        ("mail;A\r\nb@x.de;1\r\n", {"delimiter": ";"}, [("b@x.de", {"mail": "b@x.de", "a": "1"})]),
        ("mail\tA\rb@x.de\t1\r", {"delimiter": "\\t"}, [("b@x.de", {"mail": "b@x.de", "a": "1"})]),
        ("b@x.de,1\nc@x.de", {"header": False}, [("b@x.de", {"column1": "b@x.de", "column2": "1"}), ("c@x.de", None)]),
        ("m, A ,,a\nb@x.de,1,2,3,4\n", {}, [("b@x.de", {"m": "b@x.de", "a": "1", "column3": "2"})]),
        ('m,A\n"b@x.de","a ""q""\nb"\n', {}, [("b@x.de", {"m": "b@x.de", "a": 'a "q"\nb'})]),
        ("m,A\n'b@x.de','a,b'\n", {"qualifier": "'"}, [("b@x.de", {"m": "b@x.de", "a": "a,b"})]),
        ('m,A\nb@x.de,"a\n', {"qualifier": ""}, [("b@x.de", {"m": "b@x.de", "a": '"a'})]),
        ("m,A\n\nb@x.de\n", {}, [("b@x.de", {"m": "b@x.de"})]),
        ("A,EmailAddress\n1\n", {}, [("", {"a": "1"})]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_supplied_files(tmp_path: Any, content: str, form: Any, rows: list[Any], encoding: str) -> None:
    """lk-68, lk-87."""
    path = tmp_path / "file"
    path.write_bytes(content.encode(encoding))
    found = [(row.address, dict(row.values)) for row in SuppliedFile(path, FileForm(**form)).rows()]
    assert [address for address, _ in found] == [address for address, _ in rows]
    assert all(values is None or values == have for (_, have), (_, values) in zip(found, rows, strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_text_is_utf_8_or_windows_1252(tmp_path: Any, encoding: str) -> None:
    """lk-68."""
    path = tmp_path / "file"
    path.write_bytes("m,Straße\nb@x.de,“Zoë” €\n".encode(encoding))
    file = SuppliedFile(path, FileForm())
    assert file.columns == {"m", "strasse"}
    assert [row.values["strasse"] for row in file.rows()] == ["“Zoë” €"]


def test_reading_goes_on_at_any_place(tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_text("m,A\n" + "".join(f'p{n}@x.de,"a\n{n}"\n\n' for n in range(9)))
    file = SuppliedFile(path, FileForm())
    rows = list(file.rows())
    assert len(rows) == 9
    for number, row in enumerate(rows, 1):
        assert list(file.rows(row.end)) == rows[number:]


def test_a_row_that_cannot_be_read_for_sure_is_flawed_and_costs_no_other(tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_text('m,A\na@x.de,1\nb@x.de,"never closed\nc@x.de,2\n')
    rows = list(SuppliedFile(path, FileForm()).rows())
    assert [(row.address, row.flawed) for row in rows] == [("a@x.de", False), ("b@x.de", True), ("c@x.de", False)]


def test_lk_44_a_scheduled_send_is_cancelled_with_its_list(office: Any) -> None:
    """One that has begun, or waits for its turn, holds the deletion up; nothing is cancelled then."""
    office.contact("ann@example.com")
    lists, draft = Lists(office.database), Draft(subject="News", plain="Hello")
    to_list = {"account": office.account, "login": None, "contact_list": office.list, "message": draft}
    later = office.sends.to_members(**to_list, due_at=now() + timedelta(hours=1))
    at_once = office.sends.to_list(**to_list)
    assert not lists.delete(office.account.id, office.list.id)
    assert office.job(later).state == "queued"
    assert office.jobs.cancel(None, at_once.job.id)
    begun = office.sends.to_list(**to_list)
    with office.database.write() as connection:
        # As if refused for now by the mail server.
        connection.execute(
            update(jobs).where(jobs.c.id == begun.job.id).values(started_at=now(), due_at=now() + timedelta(hours=1))
        )
    assert not lists.delete(office.account.id, office.list.id)
    assert (office.job(later).state, office.job(begun).state) == ("queued", "queued")
    assert office.jobs.cancel(None, begun.job.id)
    assert lists.delete(office.account.id, office.list.id)
    assert office.job(later).state == "cancelled"
    office.work()
    assert office.mails() == {}
