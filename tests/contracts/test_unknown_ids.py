"""Numbers that stand for nothing, for something of another account, or for something that was not granted: one answer
for all three in every operation (mm-24, mm-25, mm-26, lk-9, lk-19)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from soapstone.accounts.account import Account, Login
from soapstone.listrak import service as listrak
from soapstone.listrak import types as listrak_types
from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.lists.profiles import AttributeDraft
from soapstone.magnetmail import service as magnetmail
from soapstone.magnetmail import types as magnetmail_types
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.wire.faults import Fault
from soapstone.wire.service import Caller

# Members that a call leaves out take the defaults of their types.
lt: Any = listrak_types
mt: Any = magnetmail_types

CALLER = Caller(peer="127.0.0.1", base_url="http://localhost:8080", soap_version="1.1")
NOBODY = 987_654


@dataclass(frozen=True)
class Things:
    """Numbers that a call may name, and an address that is a contact of the list."""

    list: int
    header: int
    attribute: int
    job: int
    entry: int
    message: int
    contact: int
    category: int
    transactional: int = NOBODY
    sent: int = NOBODY
    stored: int = NOBODY
    public_id: str = "0" * 32
    email: str = "ann@example.com"


Members = Callable[[Things, "Ground"], Mapping[str, Any]]
Expected = Callable[[Any], bool]


class Ground:
    """Two accounts with the same things in both; `ann` may see all of ACME, `bob` none of its lists."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.acme = product.accounts.create("ACME", time_zone="UTC")
        self.other = product.accounts.create("OTHER", time_zone="UTC")
        self.ann = product.accounts.add_login(self.acme, "ann", "secret")
        self.bob = product.accounts.add_login(self.acme, "bob", "secret", lists=[])
        self.mine, self.foreign = self._furnish(self.acme), self._furnish(self.other)
        self.unknown = Things(NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY)

    def file(self, data: str = "ann@example.com\n") -> Any:
        upload = self.product.blobs.new()
        upload.write(data.encode())
        upload.close()
        return upload

    def call(self, contract: str, operation: str, login: Login, members: Mapping[str, Any]) -> Any:
        """The answer of an operation; the text of its fault."""
        service: Any
        header: Any
        if contract == "magnetmail":
            token = self.product.sessions.open(self.product.logons.identify(login.name, "secret", None))
            service, header = magnetmail.MagnetMailService(self.product), mt.mmAuthHeader(sessionId=token, user_id="")
            declared = MAGNETMAIL.operations_by_name[operation]
        else:
            service, header = listrak.ListrakService(self.product), lt.WSUser(UserName=login.name, Password="secret")
            declared = LISTRAK.operations_by_name[operation]
        try:
            context = service.authorise(declared, header, CALLER)
            return service.handle(declared, context, declared.request(**members), CALLER)
        except Fault as fault:
            return str(fault)

    def _furnish(self, account: Account) -> Things:
        product = self.product
        made = product.lists.create(account.id, "News", settings={"from_address": "news@example.com"})
        header = product.profiles.add_header(account.id, made.id, "Head", attributes=[AttributeDraft(name="Colour")])
        attribute = product.profiles.attributes(made.id)[0].id
        login = product.accounts.add_login(account, f"owner-{account.name}", "secret")

        def mm(operation: str, **members: Any) -> Any:
            return self.call("magnetmail", operation, login, members)

        job = mm("uploadListQueue", groupid=made.id, csvData=self.file(), MM_1="Email")
        entry = mm(
            "UploadListInitialQueue",
            Job=mt.UploadInitialJob(InitialQueueId=0, UserId="", LoginId=0, CsvData=self.file(), Settings=None),
        )
        person = mm("addRecipient", email="ann@example.com", Groups=[made.id]) if has("addRecipient") else None
        from soapstone.sending.message import Draft

        draft = Draft(subject="Hello", plain="Hello")
        message = product.messages.save(account.id, made.id, draft)
        transactional = product.messages.save(account.id, made.id, draft, kind="transactional")
        sent = product.sends.to_members(account=account, login=None, contact_list=made, message=message).message
        letter = mt.MessageDetails(message_name="Hello", SubjectLine="Hello", text_version="https://example.com/")
        letter.FromAddress = "news@example.com"
        stored = mm("createMagnetMailMessage", message=letter)
        category = 0
        if hasattr(product, "categories"):
            category = product.categories.add_list_category(account.id, "Clubs").id
        return Things(
            list=made.id,
            header=header,
            attribute=attribute,
            job=int(job.jobid),
            entry=int(entry.InitialQueueId),
            message=message.id,
            stored=int(stored.message_id),
            contact=int(person.id) if person is not None else 0,
            category=category,
            transactional=transactional.id,
            sent=sent.id,
            public_id=sent.public_id,
        )


def has(operation: str) -> bool:
    return operation in magnetmail.AVAILABLE


def says(text: str) -> Expected:
    return lambda answer: isinstance(answer, str) and answer.startswith(text)


def code(number: int) -> Expected:
    """An error inside the answer (mm-22)."""
    return lambda answer: bool(answer.error == 2 and answer.errorObj.errorNumber == number)


def in_band(answer: Any) -> bool:
    """lk-16"""
    results = [value for name, value in answer.__dict__.items() if name.endswith("Result")]
    failure = answer.WSException
    return all(not value for value in results) and failure is not None and failure.Description.startswith("[NotFound]")


def no_object(answer: Any) -> bool:
    """A nil object, alone in the answer (lk-19)."""
    return [value for value in answer.__dict__.values() if value is not None] == []


def nothing(answer: Any) -> bool:
    return answer is None


def empty(answer: Any) -> bool:
    return bool(answer == [])


def false(answer: Any) -> bool:
    return answer is False


def zero(answer: Any) -> bool:
    return answer == 0 and answer is not False


def no_rows(answer: Any) -> bool:
    """An empty page with total 0 (mm-25)."""
    return bool(answer.Count == 0) and not answer.data


NOT_FOUND = says("[NotFound]")
LIST: Members = lambda it, ground: {"ListID": it.list}  # noqa: E731
ADDRESS: Members = lambda it, ground: {"ListID": it.list, "ContactEmailAddress": it.email}  # noqa: E731
CONTACT: Members = lambda it, ground: {  # noqa: E731
    "WSContact": lt.WSContact(EmailAddress=it.email, ListID=it.list, ContactProfileAttribute=[])
}
ATTRIBUTE: Members = lambda it, ground: {"AttributeID": it.attribute, "Value": "x"}  # noqa: E731


def attribute_of(it: Things) -> Any:
    return lt.WSProfileAttribute(
        AttributeID=it.attribute,
        HeaderID=it.header,
        Name="Other",
        DataType=lt.DataTypeSettings.Text,
        MaxLength=0,
        Position=0,
    )


def header_of(it: Things) -> Any:
    return lt.WSProfileHeader(HeaderID=it.header, ListID=it.list, Name="Other", Position=0, WSProfileAttributes=[])


def load(it: Things, ground: Ground) -> dict[str, Any]:
    directives = lt.WSImportDirectives(
        ImportTypeEnum=lt.ImportTypeEnum.AddSubscribers,
        ImportProfileTypeEnum=lt.ImportProfileTypeEnum.Update,
        FileName="x.csv",
        HasColumnNames=False,
        FileDelimiter=",",
        TextQualifier="",
    )
    return {"ListID": it.list, "WSImportDirectives": directives, "ImportFileStream": ground.file()}


def bulk(it: Things, ground: Ground) -> dict[str, Any]:
    mapping = lt.WSFileMappings(AttributeID=0, DefaultValue="", FileColumn=0, IsEmailAddressColumn=True)
    return {**load(it, ground), "fileMappings": [mapping]}


def triggering(it: Things, ground: Ground) -> dict[str, Any]:
    mapping = lt.WSTriggerFileMappings(
        AttributeID=0, DefaultValue="", FileColumn=0, IsEmailAddressColumn=True, IsExternalEventColumn=False
    )
    return {**load(it, ground), "TriggerFileMappings": [mapping]}


def letter(it: Things, ground: Ground) -> dict[str, Any]:
    """A message for the list, and everything else that its sends take."""
    message = lt.WSMessage(
        ListID=it.list,
        ListCampaignID=0,
        Subject="Hello",
        TextBody="Hello",
        EnablePassalong=False,
        EnableTracking=False,
        CharacterSetID=1,
    )
    return {
        "WSMessage": message,
        "SendDateTime": datetime(2020, 1, 1),
        "TestEmailAddress": it.email,
        "TestEmail": it.email,
    }


def only(*names: str) -> Members:
    return lambda it, ground: {name: value for name, value in letter(it, ground).items() if name in names}


# Operation → what it is asked, and what it answers.
LISTRAK_CALLS: dict[str, tuple[Members, Expected]] = {
    **dict.fromkeys(("GetContactList",), (LIST, no_object)),
    "GetContact": (ADDRESS, no_object),
    "GetContactByEmailKey": (lambda it, ground: {"ListID": it.list, "EmailKey": "x"}, no_object),
    "UpdateContactList": (
        lambda it, ground: {"WSUpdateContactList": lt.WSUpdateContactList(ListID=it.list, ListName="Mine now")},
        no_object,
    ),
    "GetProcessStatus": (lambda it, ground: {"ProcessID": it.job}, no_object),
    **dict.fromkeys(
        (
            "GetLegacyProcessStatus",
            "ConductorGetExternalEvents",
            "GetCampaignCollection",
            "ReportRangeSubscribedContacts",
            "ReportRangeListContactRemoval",
            "ReportRangeListContactHygiene",
        ),
        (LIST, empty),
    ),
    "ConductorGetConversations": (lambda it, ground: {"listID": it.list}, empty),
    **dict.fromkeys(
        (
            "GetProfileHeaderCollection",
            "ReportSubscribedContacts",
            "ReportListContactRemoval",
            "ReportListContactHygiene",
            "ReportListImportHistory",
        ),
        (LIST, in_band),
    ),
    "ReportImportContactDetail": (lambda it, ground: {"ImportFileID": it.job}, in_band),
    "CreateProfileHeader": (lambda it, ground: {"WSProfileHeader": header_of(it)}, in_band),
    "UpdateProfileHeader": (lambda it, ground: {"WSProfileHeader": header_of(it)}, in_band),
    "DeleteProfileHeader": (lambda it, ground: {"HeaderID": it.header}, in_band),
    "CreateProfileAttribute": (lambda it, ground: {"WSProfileAttribute": attribute_of(it)}, in_band),
    "UpdateProfileAttribute": (lambda it, ground: {"WSProfileAttribute": attribute_of(it)}, in_band),
    "DeleteProfileAttribute": (lambda it, ground: {"AttributeID": it.attribute}, in_band),
    "DeleteContactList": (LIST, false),
    "AddGoogleTrackingDomainsToList": (
        lambda it, ground: {"ListID": it.list, "GoogleTrackingDomains": ["example.com"]},
        false,
    ),
    "DeleteGoogleTrackingDomainsFromList": (
        lambda it, ground: {"ListID": it.list, "GoogleTrackingDomains": ["example.com"]},
        false,
    ),
    "BulkLoadContacts": (bulk, NOT_FOUND),
    "BulkLoadContactsWithOptions": (bulk, NOT_FOUND),
    "ConductorBulkLoadAndTriggerContacts": (triggering, NOT_FOUND),
    "ConductorBulkLoadAndTriggerContactsWithOptions": (triggering, NOT_FOUND),
    "UpdateSubscribedContactAttribute": (ATTRIBUTE, NOT_FOUND),
    "UpdateSubscribedContactAttributeWithOptions": (ATTRIBUTE, NOT_FOUND),
    "SetContact": (CONTACT, NOT_FOUND),
    "UpdateContact": (CONTACT, NOT_FOUND),
    "SubscribeFormPassThrough": (CONTACT, NOT_FOUND),
    "SubscribeContact": (ADDRESS, NOT_FOUND),
    "UnsubscribeContact": (ADDRESS, NOT_FOUND),
    "ChangeContactEmailAddress": (
        lambda it, ground: {**ADDRESS(it, ground), "NewContactEmailAddress": "new@example.com"},
        NOT_FOUND,
    ),
    "GetFilteredListCount": (LIST, NOT_FOUND),
    "SendListMessage": (only("WSMessage"), NOT_FOUND),
    "SendListMessageWithProfileFilter": (only("WSMessage"), NOT_FOUND),
    "ScheduleSendListMessage": (only("WSMessage", "SendDateTime"), NOT_FOUND),
    "ScheduleSendListMessageWithProfileFilter": (only("WSMessage", "SendDateTime"), NOT_FOUND),
    "SendListMessageTest": (only("WSMessage", "TestEmailAddress"), NOT_FOUND),
    "SendListMessageReview": (only("WSMessage"), NOT_FOUND),
    "SendSavedMessage": (lambda it, ground: {"SavedMsgID": it.message}, NOT_FOUND),
    "SendSavedMessageTest": (
        lambda it, ground: {"SavedMsgID": it.message, "TestEmailAddress": it.email},
        NOT_FOUND,
    ),
    "GetSavedMessageCollection": (LIST, empty),
    "GetTransactionalMessageCollection": (LIST, empty),
    "SendTransactionalMessage": (
        lambda it, ground: {"EmailAddress": it.email, "TransactionalMsgID": it.transactional},
        NOT_FOUND,
    ),
    "GetMessageStatus": (lambda it, ground: {"MsgID": it.sent}, no_object),
    "GetSystemIDFromPublicID": (
        lambda it, ground: {"PublicID": it.public_id, "ObjectType": lt.WSObjectTypeEnum.Message},
        zero,
    ),
    "GetMessageAnalyticsInformation": (lambda it, ground: {"MsgIDs": [it.sent]}, empty),
    "GetSpamScore": (only("WSMessage", "TestEmail"), no_object),
}
# They name nothing by number.
LISTRAK_OTHERS = {
    "GetAccountVmtaCollection",
    "GetContactListCollection",
    "CreateContactList",
    "CreateList",
    "GetCharacterSetCollection",
    "ReportAdminContactFeedbackLoop",
}

MAGNETMAIL_CALLS: dict[str, tuple[Members, Expected]] = {
    "getRecipientDetails": (lambda it, ground: {"recipient_id": it.contact}, nothing),
    "getRecipientHistory": (lambda it, ground: {"recipient_id": it.contact}, nothing),
    "getGroupDetails": (lambda it, ground: {"groupId": it.list}, nothing),
    "GetGroupCategory": (lambda it, ground: {"groupCategoryId": it.category}, nothing),
    "GetUploadInitialQueueJobStatus": (lambda it, ground: {"initialQueueId": it.entry}, nothing),
    "getGroupRecipients": (lambda it, ground: {"groupId": it.list}, lambda answer: answer.recipients == []),
    "getGroupRecipientsCount": (lambda it, ground: {"groupId": it.list}, zero),
    "getRecipientGroups": (lambda it, ground: {"recipient": mt.Recipient(id=str(it.contact))}, empty),
    "runSavedSearch": (lambda it, ground: {"search_name": "Nobody's"}, empty),
    "GetMessageCategory": (lambda it, ground: {"messageCategoryId": str(it.category)}, empty),
    "getSubscribedRecipients": (lambda it, ground: {"group_ids": [it.list], "report_type": ""}, empty),
    "getSuppressedRecipientList": (lambda it, ground: {"group_id": it.list}, empty),
    "GetUnsubscribeTracking": (
        lambda it, ground: {"criteria": mt.UnsubscribeSearchCriteria(GroupId=it.list, MessageId=0, GroupCategoryId=0)},
        no_rows,
    ),
    "getUploadJobStatus": (lambda it, ground: {"jobid": it.job}, code(9002)),
    "getUploadJobStatusUTC": (lambda it, ground: {"jobid": it.job}, code(9002)),
    "uploadListQueue": (
        lambda it, ground: {"groupid": it.list, "csvData": ground.file(), "MM_1": "Email"},
        code(9002),
    ),
    "uploadListQueueTest": (
        lambda it, ground: {"groupid": it.list, "csvData": ground.file(), "MM_1": "Email"},
        code(9002),
    ),
    "addRecipient": (lambda it, ground: {"email": "new@example.com", "Groups": [it.list]}, code(9002)),
    "editRecipient": (lambda it, ground: {"recipient_id": it.contact, "email": "new@example.com"}, code(9002)),
    "editRecipientGroups": (lambda it, ground: {"recipient_id": it.contact, "new_groups": [it.list]}, false),
    "unsubscribeRecipients": (
        lambda it, ground: {
            "unsubscribes": [mt.Unsubscribe(RecipientId=it.contact, GroupId=it.list, Id=0, MessageId=0)]
        },
        lambda answer: [each.Id for each in answer] == [0],
    ),
    "GetMessageDetails": (lambda it, ground: {"MessageId": it.stored}, nothing),
    "editMagnetMailMessage": (
        lambda it, ground: {"message": mt.MessageDetails(message_id=it.stored, message_name="Mine now")},
        code(9002),
    ),
    "createMagnetMailMessage": (
        lambda it, ground: {"message": mt.MessageDetails(message_name="New", message_category=it.category)},
        code(9002),
    ),
    "sendEmailToIndividual": (
        lambda it, ground: {"message_id": it.stored, "recipients": [it.email]},
        code(9002),
    ),
    "sendMessageToGroup": (lambda it, ground: {"message_id": it.stored, "group_ids": [it.list]}, code(9002)),
    "getLinkURLs": (lambda it, ground: {"message_id": it.stored, "group_id": it.list}, empty),
    "CreateEventSignUp": (
        lambda it, ground: {"SignUp": mt.EventSignUp(EventId=NOBODY)},
        lambda answer: (answer.ResultCode, answer.ResultFailureReasonCode) == (1, "NOT_FOUND"),
    ),
}
MAGNETMAIL_OTHERS = {
    "Authenticate",
    "getErrorDetails",
    "getUserDetails",
    "getUnsubscribes",
    "getSpamComplaints",
    # An unknown category is none (mm-91).
    "addGroup",
    "getGroups",
    "getGroupsUTC",
    "getRecipientFields",
    "getSavedSearches",
    "uploadSuppressionList",
    "searchForRecipients",
    "SearchPersonifySubscriptionMappings",
    "GetAllGroupCategories",
    "getMessages",
    "getMessagesUTC",
    "getMessageList",
    "getMessageListUtc",
    # Its entry is refused, not the call: tests of the queue have it.
    "UploadListInitialQueue",
    "GetEnhancedPersonalizedFields",
}
TABLES = {
    "magnetmail": (MAGNETMAIL_CALLS, MAGNETMAIL_OTHERS, magnetmail.AVAILABLE),
    "listrak": (LISTRAK_CALLS, LISTRAK_OTHERS, listrak.AVAILABLE),
}
# What a login is granted are lists, so whatever belongs to no list is not hidden from it.
NOT_OF_A_LIST = {
    "getRecipientDetails",
    "getRecipientHistory",
    "GetGroupCategory",
    "GetMessageCategory",
    "getRecipientGroups",
    "editRecipient",
    "GetUploadInitialQueueJobStatus",
    # Messages of this contract belong to the whole account (mm-96).
    "GetMessageDetails",
    "editMagnetMailMessage",
    "createMagnetMailMessage",
    "sendEmailToIndividual",
}


@pytest.fixture(scope="module")
def ground(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    path = folder / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield Ground(Product.open(Settings(data_dir=folder), database))
    database.close()


@pytest.mark.parametrize("contract", TABLES)
def test_every_operation_is_in_the_table(contract: str) -> None:
    calls, others, available = TABLES[contract]
    assert available - calls.keys() - others == set()
    assert calls.keys() & others == set()


@pytest.mark.parametrize(
    ("contract", "operation"), [(contract, name) for contract in TABLES for name in TABLES[contract][0]]
)
def test_what_is_not_there_for_the_caller(ground: Ground, contract: str, operation: str) -> None:
    make, expected = TABLES[contract][0][operation]
    assert operation in TABLES[contract][2]
    cases = {"unknown": (ground.ann, ground.unknown), "of another account": (ground.ann, ground.foreign)}
    if operation not in NOT_OF_A_LIST:
        cases["not granted"] = (ground.bob, ground.mine)
    for case, (login, things) in cases.items():
        answer = ground.call(contract, operation, login, make(things, ground))
        assert expected(answer), f"{case}: {answer!r}"
