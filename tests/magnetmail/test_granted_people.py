"""A login with granted lists and the people of its account, through MagnetMail (lk-9, mm-26; docs/rights.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.calls import work

from soapstone.accounts.account import Account, Login
from soapstone.contacts.changes import Cause, Changes
from soapstone.magnetmail import service
from soapstone.magnetmail import types as declared
from soapstone.magnetmail.operations import CONTRACT
from soapstone.product import Product
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.messages import MessageKind
from soapstone.wire.faults import Fault
from soapstone.wire.service import Caller

# Members that a call leaves out take the defaults of their types.
types: Any = declared
CALLER = Caller(peer="127.0.0.1", base_url="http://localhost:8080", soap_version="1.1")
Call = Callable[..., Any]


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    return Product.open(Settings(data_dir=tmp_path / "data"), database)


@pytest.fixture
def mine(product: Product, account: Account) -> int:
    return product.lists.create(account.id, "Mine").id


@pytest.fixture
def other(product: Product, account: Account) -> int:
    return product.lists.create(account.id, "Other").id


@pytest.fixture
def bea(product: Product, account: Account, mine: int) -> Login:
    return product.accounts.add_login(account, "bea", "secret", lists=[mine])


@pytest.fixture
def call(product: Product, account: Account, bea: Login) -> Call:
    """Calls an operation as `bea`; the text of its fault."""
    return caller(product, "bea")


def caller(product: Product, login: str, account: str = "") -> Call:
    token = product.sessions.open(product.logons.identify(login, "secret", None))
    magnetmail = service.MagnetMailService(product)

    def calling(operation: str, **members: Any) -> Any:
        asked = CONTRACT.operations_by_name[operation]
        try:
            context = magnetmail.authorise(asked, types.mmAuthHeader(sessionId=token, user_id=account), CALLER)
            return magnetmail.handle(asked, context, asked.request(**members), CALLER)
        except Fault as fault:
            return str(fault)

    return calling


def file(product: Product) -> Any:
    upload = product.blobs.new()
    upload.write(b"ann@example.com\n")
    upload.close()
    return upload


def test_people_without_a_list_need_all_lists(product: Product, account: Account, call: Call) -> None:
    """mm-22, mm-61, mm-65, mm-72"""
    sentence = "This login sees only the lists that it was granted. Name one of them."
    for operation in ("uploadListQueue", "uploadListQueueTest"):
        answer = call(operation, csvData=file(product), MM_1="Email", update_dups=True)
        assert (answer.errorObj.errorNumber, answer.msg) == (9003, sentence)
    answer = call("addRecipient", email="ann@example.com")
    assert (answer.error, answer.errorObj.errorNumber, answer.msg) == (2, 9003, sentence)
    mapping = types.UploadColumnMapping(CsvColumnOrder=1, RMColumnName="Email")
    job = types.UploadInitialJob(CsvData=file(product), Settings=types.UploadJobSettings(ColumnMappings=[mapping]))
    entry = call("UploadListInitialQueue", Job=job)
    status = call("GetUploadInitialQueueJobStatus", initialQueueId=entry.InitialQueueId)
    assert (status.JobId, status.errorMessage) == (0, sentence)
    assert product.contacts.find(account, email="ann@example.com") is None
    assert not product.jobs.find(account_id=account.id, kinds=("import", "trial_import"))


def test_a_taken_address_does_not_say_whose(
    product: Product, account: Account, mine: int, other: int, call: Call
) -> None:
    """mm-72, mm-75: 1005, with the number of a person who is visible and 0 for another."""
    seen = product.contacts.add(account, {"email": "seen@example.com"}, [mine])
    hidden = product.contacts.add(account, {"email": "hidden@example.com", "city": "Oslo"}, [other])
    for email, number in (("seen@example.com", seen), ("hidden@example.com", 0)):
        answer = call("addRecipient", email=email, Groups=[mine])
        assert (answer.error, answer.id, answer.msg) == (1005, number, "RECIPIENT_EXISTS")
    answer = call("editRecipient", recipient_id=seen, email="hidden@example.com")
    assert (answer.error, answer.id) == (1005, 0)
    assert product.contacts.lists_of(account.id, hidden) == [other]
    # Who knows the address may put it onto a list of its own, and sees the person then.
    product.contacts.change_groups(account, hidden, [mine], [], cause=Cause())
    assert call("getRecipientDetails", recipient_id=hidden).city == "Oslo"


def test_a_visible_person_is_not_seen_through_other_lists(
    product: Product, account: Account, mine: int, other: int, call: Call
) -> None:
    """mm-76, mm-82, mm-86, mm-109, mm-118: neither lists, confirmations, mails nor complaints of these."""
    person = product.contacts.add(account, {"email": "ann@example.com"}, [mine, other])
    with Changes(product.database).begin(account) as change:
        change.move(other, person, MembershipState.UNCONFIRMED)
        change.log("complained", person, other)
        change.log("complained", person, mine)
    lists = {each: product.lists.get(account.id, each) for each in (mine, other)}
    for number, made in lists.items():
        assert made is not None
        draft = Draft(subject=f"To {number}", plain="x", from_address="news@example.com")
        product.sends.to_members(account=account, login=None, contact_list=made, message=draft)
    product.settings.mail.mkdir(parents=True)
    work(product)
    assert call("getRecipientDetails", recipient_id=person).email_confirm is True
    criteria = types.RecipientSearchCriteria(email_confirm=False, pageNo=1, pageSize=9)
    assert call("searchForRecipients", criteria=criteria).recipients == []
    history = call("getRecipientHistory", recipient_id=person).emailHistory
    assert [each.message_name for each in history] == [f"To {mine}"]
    assert [each.Id for each in call("getRecipientGroups", recipient=types.Recipient(id=str(person)))] == [mine]
    assert [each.group_name for each in call("getSpamComplaints")] == ["Mine"]
    # A membership that has ended shows nobody any more.
    product.contacts.change_groups(account, person, [], [mine], cause=Cause())
    assert call("getRecipientDetails", recipient_id=person) is None
    assert call("getSpamComplaints") == []


def test_messages_of_other_lists_have_no_name_in_unsubscribes(
    product: Product, account: Account, mine: int, other: int, call: Call
) -> None:
    """mm-116: the record of a visible person is shown, the message of a hidden list is not."""
    person = product.contacts.add(account, {"email": "ann@example.com"}, [mine, other])
    hidden = product.messages.save(account.id, other, Draft(subject="Secret"))
    product.unsubscribes.add(account, person, cause=Cause(message_id=hidden.id))
    (row,) = call("getUnsubscribes")
    assert (row.recipient.id, row.message_name) == (str(person), "")
    tracked = call("GetUnsubscribeTracking", criteria=types.UnsubscribeSearchCriteria(PageNo=1, PageSize=9))
    assert (tracked.Count, [(each.RecipientId, each.MessageId) for each in tracked.data]) == (1, [(person, 0)])


def test_messages_of_other_accounts_have_no_name_in_unsubscribes(
    product: Product, account: Account, mine: int, call: Call
) -> None:
    """mm-116, mm-122: a call may name any number as the message that it goes back to."""
    stranger = product.accounts.create("OTHER", time_zone="UTC")
    product.accounts.add_login(account, "all", "secret")
    person = product.contacts.add(account, {"email": "ann@example.com"}, [mine])
    theirs = product.lists.create(stranger.id, "Theirs").id
    for hidden in (
        product.messages.save(stranger.id, theirs, Draft(subject="Secret")),
        product.messages.save(stranger.id, None, Draft(subject="Secret"), kind=MessageKind.MAGNETMAIL),
    ):
        row = types.Unsubscribe(RecipientId=person, MessageId=hidden.id)
        for calling in (call, caller(product, "all")):
            assert calling("unsubscribeRecipients", unsubscribes=[row])[0].Id
            assert {each.message_name for each in calling("getUnsubscribes")} == {""}


def test_a_wish_is_recorded_as_a_whole(product: Product, account: Account, mine: int, other: int, call: Call) -> None:
    """mm-120: a visible person who wants no mail at all gets none of hidden lists either."""
    person = product.contacts.add(account, {"email": "ann@example.com"}, [mine, other])
    stranger = product.contacts.add(account, {"email": "bob@example.com"}, [other])
    rows = [types.Unsubscribe(RecipientId=number) for number in (person, stranger)]
    done = call("unsubscribeRecipients", unsubscribes=rows)
    assert [bool(each.Id) for each in done] == [True, False]
    assert [each.contact_id for each in product.members.page(other, state="subscribed")] == [stranger]


def test_pages_of_one_login_are_not_those_of_another(
    product: Product, account: Account, mine: int, other: int, call: Call
) -> None:
    """mm-36: where a page ends depends on who is visible."""
    people = [product.contacts.add(account, {"email": f"p{n}@example.com"}, [(mine, other)[n % 2]]) for n in range(8)]
    product.accounts.add_login(account, "all", "secret")
    found: dict[Call, list[int]] = {caller(product, "all"): [], call: []}
    for number in (1, 2, 3, 4):
        for ask, numbers in found.items():
            criteria = types.RecipientSearchCriteria(pageNo=number, pageSize=2)
            numbers += [int(each.id) for each in ask("searchForRecipients", criteria=criteria).recipients]
    assert list(found.values()) == [people, people[::2]]


def test_a_permission_that_is_taken_away_ends_with_the_session(
    product: Product, account: Account, mine: int, bea: Login, call: Call
) -> None:
    """mm-14"""
    assert call("getGroupRecipientsCount", groupId=mine) == 0
    product.accounts.permit(account, "bea", may_call_api=False)
    assert call("getGroupRecipientsCount", groupId=mine).startswith("[InvalidSession]")


def test_a_deleted_list_shows_nobody(product: Product, account: Account, mine: int, call: Call) -> None:
    """lk-44: also before its memberships are removed."""
    person = product.contacts.add(account, {"email": "ann@example.com"}, [mine])
    assert call("getRecipientDetails", recipient_id=person) is not None
    assert product.lists.delete(account.id, mine)
    assert call("getRecipientDetails", recipient_id=person) is None


def test_jobs_without_a_list(product: Product, account: Account, call: Call) -> None:
    """mm-26: they are unknown to a login with granted lists that did not ask for them."""
    everybody = caller(product, product.accounts.add_login(account, "all", "secret").name)
    job = everybody("uploadListQueue", csvData=file(product), MM_1="Email")
    assert everybody("getUploadJobStatus", jobid=job.jobid).error == 0
    assert call("getUploadJobStatus", jobid=job.jobid).errorObj.errorNumber == 9002
    entry = everybody("UploadListInitialQueue", Job=types.UploadInitialJob(CsvData=file(product)))
    assert everybody("GetUploadInitialQueueJobStatus", initialQueueId=entry.InitialQueueId) is not None
    assert call("GetUploadInitialQueueJobStatus", initialQueueId=entry.InitialQueueId) is None
    own = call("UploadListInitialQueue", Job=types.UploadInitialJob(CsvData=file(product)))
    assert call("GetUploadInitialQueueJobStatus", initialQueueId=own.InitialQueueId) is not None


def test_granted_lists_in_a_child_account(product: Product, account: Account, bea: Login, call: Call) -> None:
    """mm-15, mm-16: a login of the parent may work in a child only when it sees all lists."""
    child = product.accounts.create("CHILD", time_zone="UTC", parent=account.name)
    made = product.lists.create(child.id, "Of the child")
    person = product.contacts.add(child, {"email": "ann@example.com"}, [made.id])
    product.accounts.add_login(account, "all", "secret")
    assert caller(product, "all", "CHILD")("getRecipientDetails", recipient_id=person) is not None
    denied = "[AccessDenied] This session may not use account CHILD."
    in_child = caller(product, "bea", "CHILD")
    assert in_child("getRecipientDetails", recipient_id=person) == denied
    assert in_child("getMessageList") == denied
    # The account may be named in the body, too.
    assert call("addGroup", user_id="CHILD", group_name="Mine") == denied
    assert call("createMagnetMailMessage", message=types.MessageDetails(user_id="CHILD", message_name="x")) == denied
    assert [each.name for each in product.lists.all(child.id)] == ["Of the child"]
    for name in ("", account.name.lower()):
        assert caller(product, "bea", name)("getUserDetails").User_Id == account.name
    for name in ("all", "bea"):
        assert caller(product, name)("getRecipientDetails", recipient_id=person) is None
