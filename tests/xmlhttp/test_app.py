"""The two calls as ASGI applications see them: raw bodies, cut anywhere (lk-85 to lk-91)."""

from __future__ import annotations

import asyncio
import base64
import gc
import re
import time
from codecs import BOM_UTF8, BOM_UTF16_BE
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.sending.messages.message import Draft
from soapstone.sending.runner import SendRunner
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.wire.large_calls import LargeCalls
from soapstone.xmlhttp.app import XmlOverHttp
from soapstone.xmlhttp.parts import PartsReader
from soapstone.xmlhttp.request import EARLY, RequestReader

MAX_BODY = 300_000

SEND_TO_LIST = """
<SendToList>
  <UserName>api</UserName><Password>secret</Password><ListID>42</ListID>
  <Message><SavedMsgID>7</SavedMsgID></Message>
</SendToList>
"""
SEND_TO_FILE = (
    """
<SendToFile>
  <UserName>api</UserName><Password>secret</Password><ListID>42</ListID>
  <Message>
    <Subject>News</Subject><FromName>Ann</FromName><FromEmailAddress>ann@example</FromEmailAddress>
    <HTMLBody>&lt;p&gt;Hello&lt;/p&gt;</HTMLBody><TextBody>Hello</TextBody>
  </Message>
  <File Name="people.csv" Delimiter="," TextQualifier="&quot;" HasColumnNames="true">"""
    """RW1haWxBZGRyZXNzCmJvYkBleGFtcGxlCg==</File>
</SendToFile>
"""
)
LOGON = "<UserName>api</UserName><Password>secret</Password>"
INLINE = "<Message><Subject>News</Subject><TextBody>Hello</TextBody></Message>"


class Site:
    """A product with a login, 42 lists of which the last is used, and the endpoint."""

    def __init__(self, product: Product) -> None:
        account = product.accounts.named("ACME")
        assert account is not None
        self.product = product
        self.account = account
        self.unread: list[dict[str, Any]] = []
        self.app = XmlOverHttp(product, LargeCalls(), max_body=MAX_BODY)

    def post(
        self,
        call: str,
        body: str | bytes | Sequence[bytes],
        *,
        media: str = "application/xml",
        method: str = "POST",
        path: str = "",
        peer: str = "127.0.0.1",
        disconnect: bool = False,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """Status, headers and body of the answer; status 0 without one."""
        pieces = [body.encode()] if isinstance(body, str) else [body] if isinstance(body, bytes) else list(body)
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": disconnect or n < len(pieces)}
            for n, piece in enumerate(pieces, 1)
        ]
        if disconnect:
            messages.append({"type": "http.disconnect"})
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path or f"/xml/{call}",
            "query_string": b"",
            "headers": [(b"content-type", media.encode()), *headers],
            "client": (peer, 50000),
        }
        asyncio.run(self.app(scope, receive, send))
        if not sent:
            return 0, {}, b""
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        self.unread = messages
        answered = dict(sent[0]["headers"])
        assert int(answered[b"content-length"]) == len(sent[1]["body"]) or method == "HEAD"
        return sent[0]["status"], answered, sent[1]["body"]

    def refusal(self, call: str, body: str | bytes | Sequence[bytes], **how: Any) -> tuple[int, str]:
        """Status and description of a refusal; fails when anything is kept of it."""
        jobs = self.product.jobs.find(limit=1000)
        status, headers, answer = self.post(call, body, **how)
        assert headers[b"content-type"] == b"application/xml; charset=utf-8"
        root = ElementTree.fromstring(answer)
        assert [element.tag for element in root.iter()] == ["Error", "Code", "Description"]
        description = root.findtext("Description") or ""
        assert description.startswith(f"[{root.findtext('Code')}] ")
        assert self.product.jobs.find(limit=1000) == jobs
        assert self.blobs() == len([job for job in jobs if job.blob])
        return status, description

    def accepted(self, call: str, body: str | bytes | Sequence[bytes], **how: Any) -> dict[str, str]:
        """The members of the answer to a call that is accepted."""
        status, headers, answer = self.post(call, body, **how)
        assert (status, headers[b"content-type"]) == (200, b"application/xml; charset=utf-8"), answer
        assert answer.startswith(b'<?xml version="1.0" encoding="utf-8"?><' + call.encode() + b"Response><StatusID>")
        assert b"\n" not in answer
        return {element.tag: element.text or "" for element in ElementTree.fromstring(answer)}

    def blobs(self) -> int:
        """How many files are kept or under way."""
        return len(list(self.product.blobs.folder.iterdir()))

    def content(self, answer: dict[str, str]) -> bytes:
        """The file of an accepted send."""
        job = self.product.jobs.get(None, int(answer["StatusID"]))
        assert job is not None
        assert job.blob is not None
        return self.product.blobs.path(job.blob).read_bytes()


@pytest.fixture(scope="session")
def prepared(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with what the samples name: a login, lists up to 42, saved messages up to 7.

    One kind of database will do: the calls themselves touch no table.
    """
    path = tmp_path_factory.mktemp("prepared") / "prepared.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    product = Product.open(Settings(data_dir=path.parent), database)
    account = product.accounts.create("ACME", time_zone="America/New_York")
    product.accounts.add_login(account, "api", "secret")
    for number in range(1, 43):
        product.lists.create(account.id, f"List {number}", settings={"from_address": "ann@example.com"})
    for number in range(1, 8):
        product.messages.save(account.id, 42, Draft(subject=f"Saved {number}", plain="Hello"))
    database.checkpoint()
    database.close()
    return path


@pytest.fixture
def site(prepared: Path, tmp_path: Path) -> Iterator[Site]:
    """A site of its own for each test."""
    path = tmp_path / "soapstone.sqlite"
    path.write_bytes(prepared.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield Site(Product.open(Settings(data_dir=tmp_path), database))
    database.close()


def run_jobs(site: Site) -> list[Path]:
    """Run all jobs; the mails."""
    settings = site.product.settings
    sender = SendRunner(site.product.database, settings.mail, settings.drafts)
    worker = Worker(site.product.database, site.product.blobs, sender.runners, idle=0.05)
    worker.run(until=lambda: all(job.over for job in site.product.jobs.find()))
    return sorted(settings.mail.glob("*.eml"))


def to_file(content: str, attributes: str = "", message: str = INLINE) -> str:
    return f"<SendToFile>{LOGON}<ListID>42</ListID>{message}<File {attributes}>{content}</File></SendToFile>"


def multipart(*parts: tuple[str, str, bytes], end: bytes = b"--\r\n") -> bytes:
    """A multipart body of (name, more of the disposition, content)."""
    body = b""
    for name, more, content in parts:
        disposition = f'Content-Disposition: form-data; name="{name}"{more}\r\n'.encode()
        body += b"--XyZ\r\n" + disposition + b"Content-Type: text/xml\r\n\r\n" + content + b"\r\n"
    return body + b"--XyZ" + end


MULTIPART = "multipart/form-data; boundary=XyZ"


def test_a_file_name_that_cannot_be_stored(site: Site) -> None:
    request = SEND_TO_FILE[: SEND_TO_FILE.index("<File")] + "</SendToFile>"
    for name in (b"a\0b.csv", b"\xed\xa0\x80.csv"):
        body = multipart(
            ("request", "", request.encode()), ("file", '; filename="NAME"', b"EmailAddress\nbob@example\n")
        )
        status, _, answer = site.post("SendToFile", body.replace(b"NAME", name), media=MULTIPART)
        assert status in (200, 400), answer


def test_the_sample_of_send_to_list(site: Site) -> None:
    """lk-86, lk-88."""
    answer = site.accepted("SendToList", SEND_TO_LIST)
    job = site.product.jobs.find()[0]
    assert list(answer.items()) == [
        ("StatusID", str(job.id)),
        ("ListID", "42"),
        ("ProcessType", "Send to List"),
        ("MsgID", str(job.request["message_id"])),
        ("CurrentStep", "0"),
        ("MaxStep", "3"),
    ]
    assert (job.kind, job.list_id, job.account_id) == ("send_to_list", 42, site.account.id)
    run_jobs(site)
    assert site.product.jobs.find()[0].state == "completed"


def test_the_sample_of_send_to_file(site: Site) -> None:
    """lk-87: bob@example is an address."""
    answer = site.accepted("SendToFile", SEND_TO_FILE, media="text/xml; charset=utf-8")
    assert (answer["ProcessType"], answer["CurrentStep"], answer["MaxStep"]) == ("Send to File", "0", "4")
    assert site.content(answer) == b"EmailAddress\nbob@example\n"
    assert site.product.jobs.find()[0].label == "people.csv"
    (mail,) = run_jobs(site)
    assert b"To: bob@example\r\n" in mail.read_bytes()
    assert site.product.jobs.find()[0].state == "completed"


def test_an_answer_byte_by_byte(site: Site) -> None:
    _, _, body = site.post("SendToList", SEND_TO_LIST)
    assert re.fullmatch(
        rb'<\?xml version="1.0" encoding="utf-8"\?><SendToListResponse><StatusID>\d+</StatusID><ListID>42</ListID>'
        rb"<ProcessType>Send to List</ProcessType><MsgID>\d+</MsgID><CurrentStep>0</CurrentStep><MaxStep>3</MaxStep>"
        rb"</SendToListResponse>",
        body,
    )
    _, _, body = site.post("SendToList", SEND_TO_LIST.replace("secret", "wrong"))
    assert body == (
        b'<?xml version="1.0" encoding="utf-8"?><Error><Code>InvalidLogonAttempt</Code><Description>'
        b"[InvalidLogonAttempt] The user name or password is not valid.</Description></Error>"
    )


def test_elements_come_in_any_order(site: Site) -> None:
    members = [LOGON, "<ListID> 42 </ListID>", INLINE, "<Other><UserName>x</UserName></Other>"]
    for body in (members, members[::-1], [members[1], members[3], members[0], members[2]]):
        site.accepted("SendToList", f"<SendToList a='b'>{''.join(body)}</SendToList>")


def test_a_message_that_is_too_large_is_refused(site: Site) -> None:
    inline = INLINE.replace("Hello", "{{ Email }}" * 1_001, 1)
    assert inline != INLINE
    status, _, body = site.post("SendToList", f"<SendToList>{LOGON}<ListID>42</ListID>{inline}</SendToList>")
    assert status == 400
    assert b"more than 1,000 merge tags" in body


def test_of_repeated_members_the_first_counts(site: Site) -> None:
    body = f"<SendToList>{LOGON}<Password>wrong</Password><ListID>42</ListID><ListID>1</ListID>{INLINE}</SendToList>"
    assert site.accepted("SendToList", body)["ListID"] == "42"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 700), max_size=8), kind=st.sampled_from(["xml", "parts"]))
def test_a_body_may_be_cut_anywhere(site: Site, cuts: list[int], kind: str) -> None:
    content = "EmailAddress,Name\n" + "zoë@example.com,Zoë\n" * 5
    if kind == "xml":
        body, media = to_file(base64.encodebytes(content.encode()).decode()).encode(), "text/xml"
    else:
        body = multipart(("request", "", to_file("").encode()), ("file", "", content.encode()))
        media = MULTIPART
    places = [0, *sorted(cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(places)]
    assert site.content(site.accepted("SendToFile", pieces, media=media)) == content.encode()


def test_a_file_as_a_part_of_its_own(site: Site) -> None:
    """lk-87."""
    request = to_file(" ", 'Delimiter="\\t" HasColumnNames="0" TextQualifier=""', INLINE).encode()
    body = multipart(
        ("note", "", b"ignored"), ("request", "", request), ("file", '; filename="list.txt"', b"bob@example\tx")
    )
    answer = site.accepted("SendToFile", body, media='multipart/form-data; boundary="XyZ"')
    job = site.product.jobs.find()[0]
    assert site.content(answer) == b"bob@example\tx"
    assert (job.label, job.blob_size) == ("list.txt", 13)
    assert job.request["file"] == {"delimiter": "\t", "qualifier": "", "header": False}
    assert len(run_jobs(site)) == 1


def test_members_of_an_inline_message(site: Site) -> None:
    message = (
        "<Message><ListID>1</ListID><ToName>{{ First_Name }}</ToName>"
        "<ReplyEmailAddress>r@example.com</ReplyEmailAddress>"
        "<FromName>Ann &amp; co</FromName><FromEmailAddress>a@example.com</FromEmailAddress><SavedMsgID/>"
        "<Subject>Grüße</Subject><EnableTracking>true</EnableTracking>"
        "<HTMLBody><![CDATA[<p>Hi</p>]]></HTMLBody></Message>"
    )
    answer = site.accepted("SendToList", f"<SendToList>{LOGON}<ListID>42</ListID>{message}</SendToList>")
    stored = site.product.messages.get(site.account.id, int(answer["MsgID"]))
    assert stored is not None
    assert Draft.of(stored) == Draft(
        subject="Grüße",
        from_name="Ann & co",
        from_address="a@example.com",
        reply_address="r@example.com",
        to_name="{{ First_Name }}",
        html="<p>Hi</p>",
        plain="",
    )


def body_of(list_id: str = "<ListID>42</ListID>", message: str = INLINE, logon: str = LOGON) -> str:
    return f"<SendToList>{logon}{list_id}{message}</SendToList>"


@pytest.mark.parametrize(
    ("body", "status", "description"),
    [
        ("", 400, "[InvalidArgument] The request is not well-formed XML: no element found, line 1, column 1."),
        (SEND_TO_LIST[:-9], 400, "[InvalidArgument] The request is not well-formed XML: "),
        (body_of(message="&nix;"), 400, "[InvalidArgument] The request is not well-formed XML: undefined entity"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + body_of(), 400, "[InvalidArgument] The request has a document type"),
        ("<SendToFile/>", 400, "[InvalidArgument] The request is a SendToFile document, not SendToList."),
        ("<x:SendToList xmlns:x='y'/>", 400, "[InvalidArgument] The request is a x:SendToList document"),
        ("<SendToList/>", 401, "[InvalidLogonAttempt] The user name or password is not valid."),
        (body_of(logon="<UserName/><Password>secret</Password>"), 401, "[InvalidLogonAttempt] The user name"),
        (body_of(logon="<UserName>api</UserName>"), 401, "[InvalidLogonAttempt] The user name"),
        (body_of(logon="<UserName>api</UserName><Password>Secret</Password>"), 401, "[InvalidLogonAttempt] The user"),
        # Before the arguments are looked at (lk-12).
        (body_of(list_id="", logon="<UserName>x</UserName><Password>x</Password>"), 401, "[InvalidLogonAttempt] "),
        (body_of(list_id=""), 400, "[InvalidArgument] ListID is missing."),
        (body_of(list_id="<ListID>4x</ListID>"), 400, "[InvalidArgument] ListID is not a number."),
        (body_of(list_id="<ListID>99999999999</ListID>"), 400, "[InvalidArgument] ListID is not a number."),
        (body_of(list_id="<ListID>43</ListID>"), 404, "[NotFound] List 43 does not exist or is not accessible."),
        (body_of(list_id="<ListID>-1</ListID>"), 404, "[NotFound] List -1 does not exist or is not accessible."),
        (body_of(message=""), 400, "[InvalidArgument] Message is missing."),
        (body_of(message="<Message/>"), 400, "[InvalidArgument] The message has no subject."),
        (
            body_of(message="<Message><SavedMsgID>70</SavedMsgID></Message>"),
            404,
            "[NotFound] Message 70 does not exist",
        ),
        (
            body_of(message="<Message><SavedMsgID>7</SavedMsgID><Subject>x</Subject></Message>"),
            400,
            "[InvalidArgument] Message holds both",
        ),
        (
            body_of(message="<Message><Subject>{{ Nme }}</Subject><TextBody>x</TextBody></Message>"),
            400,
            "[InvalidArgument] The message uses unknown merge field: Nme.",
        ),
        ("<SendToList>" + "<a>" * 40, 400, "[InvalidArgument] The request is nested too deeply."),
        (f"<SendToList>{LOGON}<a {'a' * 270_000}", 400, "[InvalidArgument] The request has a tag that is too long."),
        (
            f"<SendToList>{LOGON}" + "a" * MAX_BODY,
            413,
            f"[InvalidArgument] The request is larger than {MAX_BODY} bytes.",
        ),
    ],
)
def test_refusals(site: Site, body: str, status: int, description: str) -> None:
    """lk-11, lk-12, lk-18, lk-89."""
    refused = site.refusal("SendToList", body)
    assert (refused[0], refused[1][: len(description)]) == (status, description)


def test_who_may_not_come_in(site: Site) -> None:
    """lk-9 to lk-13, lk-19."""
    accounts = site.product.accounts
    accounts.add_login(site.account, "desk", "secret", may_call_api=False)
    accounts.add_login(site.account, "narrow", "secret", lists=[41])
    other = accounts.create("OTHER", time_zone="UTC")
    accounts.add_login(other, "other", "secret")
    as_other = SEND_TO_LIST.replace(">api<", ">other<")
    assert site.refusal("SendToList", SEND_TO_LIST.replace(">api<", ">desk<")) == (
        403,
        "[AccessDenied] The user does not have the API permission.",
    )
    hidden = "[NotFound] List 42 does not exist or is not accessible."
    assert site.refusal("SendToList", SEND_TO_LIST.replace(">api<", ">narrow<")) == (404, hidden)
    assert site.refusal("SendToList", as_other) == (404, hidden)
    # A message of another list is as unknown as one of another account.
    other_list = SEND_TO_LIST.replace("42", "41")
    message = "[NotFound] Message 7 does not exist or is not accessible."
    assert site.refusal("SendToList", other_list) == (404, message)
    # The message of a send is no saved one.
    number = site.accepted("SendToList", SEND_TO_LIST)["MsgID"]
    assert site.refusal("SendToList", SEND_TO_LIST.replace(">7<", f">{number}<"))[0] == 404
    accounts.allow_addresses(site.account, ["192.0.2.0/24"])
    assert site.refusal("SendToList", SEND_TO_LIST) == (
        403,
        "[ProhibitedIPAddress] Calls from this IP address are not allowed.",
    )
    site.accepted("SendToList", SEND_TO_LIST, peer="192.0.2.7")
    for _ in range(10):
        site.refusal("SendToList", SEND_TO_LIST.replace("secret", "wrong"), peer="192.0.2.7")
    assert site.refusal("SendToList", SEND_TO_LIST, peer="192.0.2.7") == (
        403,
        "[LoginAttemptsExceeded] Too many failed logon attempts. The user is locked for a while.",
    )


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (
            f"<SendToFile><File>QQ==</File>{LOGON}</SendToFile>",
            "UserName and Password must come before File, within the first 65536 bytes.",
        ),
        (f"<SendToFile><UserName>api</UserName><File/>{LOGON}</SendToFile>", "UserName and Password must come before"),
        (to_file("Q"), "The content of File is not base64."),
        (to_file("QQ==QQ=="), "The content of File is not base64."),
        (to_file("QQ=\n=QQ=="), "The content of File is not base64."),
        (to_file("QÜ=="), "The content of File is not base64."),
        (to_file("Q*=="), "The content of File is not base64."),
        (to_file(""), "The request has no file, or an empty one."),
        (to_file("").replace("<File ></File>", ""), "The request has no file, or an empty one."),
        (to_file("QQ==", 'Delimiter=",,"'), "The delimiter of the file is not one character."),
        (to_file("QQ==", 'TextQualifier="ab"'), "The text qualifier of the file is not one character."),
        (to_file("QQ==", 'TextQualifier=","'), "The delimiter and the text qualifier of the file are the same."),
        (to_file("QQ==", 'HasColumnNames="yes"'), "HasColumnNames is neither true nor false."),
        (to_file("QQ==", message=""), "Message is missing."),
        (to_file("QQ==") + "x", "The request is not well-formed XML: junk after document element"),
    ],
)
def test_refused_files(site: Site, body: str, description: str) -> None:
    status, text = site.refusal("SendToFile", body)
    assert (status, text[: len(description) + 18]) == (400, f"[InvalidArgument] {description}")


@pytest.mark.parametrize(
    ("body", "status", "description"),
    [
        (multipart(("file", "", b"x"), ("request", "", b"")), 400, "The part named request must come before"),
        (multipart(("request", "", to_file("").encode())), 400, "The request has no file"),
        (multipart(("request", "", to_file("QQ==").encode()), ("file", "", b"x")), 400, "The request holds more than"),
        (
            multipart(("request", "", to_file("").encode()), ("file", "", b"x"), ("file", "", b"y")),
            400,
            "The request holds more than one file.",
        ),
        (multipart(("request", "", b"<a/>"), ("request", "", b"<a/>")), 400, "The request is a a document"),
        (multipart(("other", "", b"x")), 400, "The body has no part named request."),
        (
            multipart(*[("other", "", b"x" * 9000)] * 25, ("request", "", to_file("").encode())),
            400,
            "UserName and Password must come before File, within the first 65536 bytes.",
        ),
        (multipart(("request", "", to_file("").encode()), ("file", "", b"x"), end=b""), 400, "The body ends before"),
        (b"nonsense", 400, "The body is not correct multipart/form-data."),
        (b"", 400, "The body has no part named request."),
        (
            multipart(("request", "", to_file("").replace("secret", "x").encode()), ("file", "", b"x" * 9000)),
            401,
            "The user name or password is not valid.",
        ),
    ],
)
def test_refused_parts(site: Site, body: bytes, status: int, description: str) -> None:
    found, text = site.refusal("SendToFile", body, media=MULTIPART)
    assert (found, text.partition("] ")[2][: len(description)]) == (status, description)


def test_send_to_list_takes_no_file(site: Site) -> None:
    body = multipart(("request", "", SEND_TO_LIST.encode()), ("file", "", b"x"))
    assert site.refusal("SendToList", body, media=MULTIPART) == (400, "[InvalidArgument] SendToList takes no file.")


OTHER_MEDIA = [
    "",
    "text/plain",
    "text/plain; charset=ISO-8859-1",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "multipart/form-data",
    "text/xmlx",
    "no media type",
]


@pytest.mark.parametrize("media", OTHER_MEDIA)
def test_lk_85_a_body_that_begins_as_xml_is_xml_whatever_its_media_type(site: Site, media: str) -> None:
    site.accepted("SendToList", SEND_TO_LIST, media=media)
    status, _, answer = site.post("SendToList", SEND_TO_LIST.replace("<ListID>", "<ListID>9"), media=media)
    assert (status, b"[NotFound]" in answer) == (404, True)


DECLARATION = '<?xml version="1.0"?>'
STARTS = {
    "white space": b" \r\n\t" + SEND_TO_LIST.encode(),
    "white space before a declaration": f"\n {DECLARATION}{SEND_TO_LIST}".encode(),
    "a byte order mark": BOM_UTF8 + SEND_TO_LIST.strip().encode(),
    "a byte order mark and white space before a declaration": BOM_UTF8 + f"\n{DECLARATION}{SEND_TO_LIST}".encode(),
    "UTF-16": SEND_TO_LIST.strip().encode("utf-16"),
    "UTF-16, high bytes first": BOM_UTF16_BE + SEND_TO_LIST.strip().encode("utf-16-be"),
    # As .NET's StringWriter declares what is sent as UTF-8.
    "UTF-16 declared, UTF-8 sent": f'<?xml version="1.0" encoding="utf-16"?>{SEND_TO_LIST}'.encode(),
    "UTF-16 declared behind a mark of UTF-8": BOM_UTF8
    + f'<?xml version="1.0" encoding="utf-16"?>{SEND_TO_LIST}'.encode(),
    "a comment": b"<!-- - -->" + SEND_TO_LIST.encode(),
}


@pytest.mark.parametrize("media", ["text/plain", "application/xml"])
@pytest.mark.parametrize("body", STARTS.values(), ids=STARTS)
def test_lk_85_white_space_and_marks_before_the_document(site: Site, media: str, body: bytes) -> None:
    site.accepted("SendToList", body, media=media)
    site.accepted("SendToList", [bytes([byte]) for byte in body], media=media)


BLANKS = b" " * (64 << 10)


@pytest.mark.parametrize("body", [b"", b" ", b"request=%3CSendToList%3E", b"\xef\xbb", b"&lt;", BLANKS + b"<"])
def test_other_bodies_are_refused(site: Site, body: bytes) -> None:
    for media in OTHER_MEDIA:
        assert site.refusal("SendToList", body, media=media)[0] == 415


def test_white_space_before_the_credentials_is_bounded(site: Site) -> None:
    status, text = site.refusal("SendToList", [BLANKS, BLANKS, SEND_TO_LIST.encode()])
    assert (status, "first 65536 bytes" in text) == (400, True)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream"])
def test_lk_7_a_page_of_another_site_sends_no_xml_as_text(site: Site, media: str) -> None:
    """A browser asks nobody before it sends such a body for a page."""
    origin = [(b"origin", b"https://evil.example"), (b"host", b"lists.example")]
    assert site.refusal("SendToList", SEND_TO_LIST, media=media, headers=origin)[0] == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_only_post(site: Site, method: str) -> None:
    assert site.refusal("SendToList", b"", method=method)[0] == 405
    assert site.post("SendToList", b"", method=method)[1][b"allow"] == b"POST"


def test_other_paths_are_not_there(site: Site) -> None:
    assert site.refusal("", SEND_TO_LIST, path="/xml/SendToList/")[0] == 404
    assert site.refusal("", SEND_TO_LIST, path="/xml/sendtolist")[0] == 404


def test_an_announced_length_over_the_limit_is_refused_at_once(site: Site) -> None:
    headers = [(b"content-length", b"300001"), (b"expect", b"100-continue")]
    refused = site.refusal("SendToList", [b"x", b"y"], headers=headers)
    assert refused == (413, "[InvalidArgument] The request is larger than 300000 bytes.")
    assert len(site.unread) == 2


def test_the_rest_of_a_refused_body_is_taken_so_that_the_client_can_read_the_answer(site: Site) -> None:
    body = SEND_TO_FILE.replace("secret", "wrong").encode()
    assert site.refusal("SendToFile", [body[n : n + 10] for n in range(0, len(body), 10)])[0] == 401
    assert site.unread == []


def test_a_client_that_goes_away_leaves_nothing(site: Site) -> None:
    body = to_file(base64.b64encode(b"EmailAddress\n" * 1000).decode()).encode()
    for cut in (0, 50, len(body) // 2, len(body)):
        assert site.post("SendToFile", [body[:cut]], disconnect=True)[0] == 0
        assert site.blobs() == 0
    parts = multipart(("request", "", to_file("").encode()), ("file", "", b"x" * 9000))
    assert site.post("SendToFile", [parts[:5000]], media=MULTIPART, disconnect=True)[0] == 0
    assert site.blobs() == 0
    assert site.product.jobs.find() == []


def test_no_byte_is_decoded_before_name_and_password_are_right(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    original = type(site.product.blobs).new

    def new(blobs: Any) -> Any:
        made.append("x")
        return original(blobs)

    monkeypatch.setattr(type(site.product.blobs), "new", new)
    site.refusal("SendToFile", SEND_TO_FILE.replace("secret", "wrong"))
    assert made == []
    site.accepted("SendToFile", SEND_TO_FILE)
    assert made == ["x"]


def test_a_fault_of_the_server_is_told_without_details(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(type(site.product.lists), "get", lambda *_: 1 / 0)
    assert site.refusal("SendToFile", SEND_TO_FILE) == (
        500,
        "[InternalError] The server met an internal error; its log has the details.",
    )
    assert "ZeroDivisionError" in caplog.text


def test_a_file_goes_to_disk_piece_by_piece(site: Site) -> None:
    content = b"EmailAddress\n" + b"".join(b"p%d@example.com\n" % n for n in range(10_000))
    body = to_file(base64.encodebytes(content).decode()).encode()
    pieces = [body[n : n + 4096] for n in range(0, len(body), 4096)]
    assert site.content(site.accepted("SendToFile", pieces)) == content


FILLER = "<ListID>42</ListID>" + INLINE


@pytest.mark.parametrize("call", ["SendToList", "SendToFile"])
def test_credentials_come_early(site: Site, call: str) -> None:
    """lk-85: within the first 64 KiB, however the body is cut."""
    before = len(f"<{call}>") + len(LOGON) + len("<x></x>")
    for size in (EARLY - before, EARLY - before + 1, 3 * EARLY):
        body = f"<{call}><x>{'x' * size}</x>{LOGON}{FILLER}</{call}>".encode()
        for step in (len(body), 50_000, 999):
            answer = site.post(call, [body[at : at + step] for at in range(0, len(body), step)])
            late = b"UserName and Password must come before File, within the first 65536 bytes." in answer[2]
            assert late == (size > EARLY - before)
            assert (answer[0] == 400) == (late or call == "SendToFile")


@pytest.mark.parametrize("end", ["accepted", "wrong password", "broken", "cut off", "in parts"])
def test_a_call_leaves_nothing_behind(site: Site, end: str) -> None:
    """Its memory is free when it is over, and does not wait for the garbage collector."""
    message = f"<Message><Subject>News</Subject><TextBody>{'x' * 100_000}</TextBody></Message>"
    body = f"<SendToList>{LOGON}<ListID>42</ListID>{message}</SendToList>"
    if end == "wrong password":
        body = body.replace("secret", "wrong")
    if end == "broken":
        body = body.replace("</Message>", "")

    def alive() -> list[object]:
        return [each for each in gc.get_objects() if isinstance(each, RequestReader | PartsReader)]

    gc.collect()
    # Held, so that their ids are not given again.
    before = alive()
    others = {id(each) for each in before}
    gc.disable()
    try:
        if end == "in parts":
            site.post("SendToList", multipart(("request", "", body.encode())), media=MULTIPART)
        else:
            site.post("SendToList", [body[:80_000].encode(), body[80_000:].encode()], disconnect=end == "cut off")
        # The thread that did the last of it may be a moment behind its answer.
        until = time.monotonic() + 5
        while found := [each for each in alive() if id(each) not in others]:
            assert time.monotonic() < until, found
            del found
            time.sleep(0.01)
    finally:
        gc.enable()
