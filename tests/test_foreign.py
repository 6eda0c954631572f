"""Every available operation with another account's numbers, with headers and bodies that disagree, and without a right
to call at all: nothing of one account reaches another (mm-14 to mm-16, mm-26, lk-9 to lk-12, lk-19)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import locally_served

from soapstone.accounts.account import Accounts
from soapstone.listrak import service as listrak
from soapstone.listrak.operations import conversation_reports, location_reports, message_reports
from soapstone.magnetmail import service as magnetmail
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.store.tables import metadata
from soapstone.wire.contract import declared

MM, LK = "http://www.magnetmail.net/", "http://webservices.listrak.com/v31/"
SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
MEDIA = {"1.1": "text/xml", "1.2": "application/soap+xml"}
UNKNOWN = 987654

# The demo account's numbers: its list, its upload, its send. Each operation gets them where it takes a number.
UPLOAD = "<csvData>a@foreign.example</csvData><replace_group>1</replace_group><MM_1>email</MM_1>"
ENTRY = (
    "<Job><CsvData>a@foreign.example</CsvData><Settings><GroupId>{number}</GroupId><AddReplace>REPLACE</AddReplace>"
    "<ColumnMappings><UploadColumnMapping><CsvColumnOrder>1</CsvColumnOrder><RMColumnName>Email</RMColumnName>"
    "</UploadColumnMapping></ColumnMappings></Settings></Job>"
)
IMPORT = (
    "<WSImportDirectives><ImportTypeEnum>RemoveSubscribers</ImportTypeEnum>"
    "<ImportProfileTypeEnum>NotDefined</ImportProfileTypeEnum></WSImportDirectives><fileMappings><WSFileMappings>"
    "<IsEmailAddressColumn>1</IsEmailAddressColumn></WSFileMappings></fileMappings>"
    "<ImportFileStream>YWRhQGV4YW1wbGUuY29t</ImportFileStream>"
)
CONTACT = "<WSContact><EmailAddress>a@foreign.example</EmailAddress><ListID>{number}</ListID></WSContact>"
ADDRESS = "<ListID>{number}</ListID><ContactEmailAddress>a@foreign.example</ContactEmailAddress>"
PAGE = "<ListID>{number}</ListID><Page>1</Page>"
ATTRIBUTE = (
    "<WSProfileAttribute><AttributeID>{number}</AttributeID><HeaderID>{number}</HeaderID><Name>foreign</Name>"
    "</WSProfileAttribute>"
)
MESSAGE = (
    "<WSMessage><ListID>{number}</ListID><Subject>foreign</Subject><TextBody>foreign</TextBody>"
    "<FromEmailAddress>a@foreign.example</FromEmailAddress></WSMessage>"
)
TRIGGER = IMPORT.replace("fileMappings", "TriggerFileMappings").replace("WSFileMappings", "WSTriggerFileMappings")
PAGE_OF_MESSAGE = "<MsgID>{number}</MsgID><Page>1</Page>"
PAGE_OF_CONVERSATION = "<ConversationID>{number}</ConversationID><Page>1</Page>"
SENT_MESSAGES = "<ListID>{number}</ListID><IncludeTestMessages>true</IncludeTestMessages>"
LISTING = "<archived>all</archived><hidden>all</hidden><hasFax>all</hasFax><hasEmail>all</hasEmail>"
CALLS = {
    (MM, "addGroup"): "<group_name>group {number}</group_name><categoryId>{number}</categoryId>",
    (MM, "getGroups"): "<display_status>2</display_status><subscription_groups>2</subscription_groups>",
    (MM, "uploadListQueue"): "<groupid>{number}</groupid>" + UPLOAD,
    (MM, "uploadListQueueTest"): "<groupid>{number}</groupid>" + UPLOAD,
    (MM, "getUploadJobStatus"): "<jobid>{number}</jobid>",
    (MM, "getUploadJobStatusUTC"): "<jobid>{number}</jobid>",
    (MM, "UploadListInitialQueue"): ENTRY,
    (MM, "GetUploadInitialQueueJobStatus"): "<initialQueueId>{number}</initialQueueId>",
    (MM, "getRecipientFields"): "",
    (MM, "getErrorDetails"): "<error_nbr>{number}</error_nbr>",
    (MM, "Authenticate"): "<username>demo</username><password>stranger</password>",
    (MM, "getGroupDetails"): "<groupId>{number}</groupId>",
    (MM, "getGroupRecipients"): "<groupId>{number}</groupId>",
    (MM, "getGroupRecipientsCount"): "<groupId>{number}</groupId>",
    (MM, "getGroupsUTC"): "<display_status>2</display_status><subscription_groups>2</subscription_groups>",
    (MM, "GetMessageCategory"): "<messageCategoryId>{number}</messageCategoryId>",
    (MM, "GetGroupCategory"): "<groupCategoryId>{number}</groupCategoryId>",
    (MM, "GetAllGroupCategories"): "",
    (MM, "getUserDetails"): "",
    (MM, "GetEnhancedPersonalizedFields"): "<loginId>{number}</loginId>",
    (MM, "addRecipient"): "<email>{number}@foreign.example</email><Groups><int>{number}</int></Groups>",
    (MM, "editRecipient"): "<recipient_id>{number}</recipient_id><email>a@foreign.example</email>",
    (MM, "getRecipientDetails"): "<recipient_id>{number}</recipient_id>",
    (MM, "getRecipientGroups"): "<recipient><id>{number}</id></recipient>",
    (MM, "editRecipientGroups"): (
        "<recipient_id>{number}</recipient_id><unsubscribed_groups><int>{number}</int></unsubscribed_groups>"
    ),
    (MM, "getRecipientHistory"): "<recipient_id>{number}</recipient_id>",
    (MM, "searchForRecipients"): "<criteria><pageNo>1</pageNo><pageSize>9</pageSize><id>{number}</id></criteria>",
    (MM, "getSavedSearches"): "<loginid>0</loginid>",
    (MM, "runSavedSearch"): "<search_name>Nobody's</search_name>",
    (MM, "getSubscribedRecipients"): "<group_ids><int>{number}</int></group_ids>",
    (MM, "unsubscribeRecipients"): (
        "<unsubscribes><Unsubscribe><RecipientId>{number}</RecipientId></Unsubscribe></unsubscribes>"
    ),
    (MM, "getUnsubscribes"): "",
    (MM, "getSpamComplaints"): "",
    (MM, "GetUnsubscribeTracking"): "<criteria><GroupId>{number}</GroupId></criteria>",
    (MM, "uploadSuppressionList"): (
        "<suppressionlist><suppressby>Email</suppressby><type>Email</type><recipients><Recipient>"
        "<email>b@foreign.example</email></Recipient></recipients></suppressionlist>"
    ),
    (MM, "getSuppressedRecipientList"): "<group_id>{number}</group_id>",
    (MM, "createMagnetMailMessage"): (
        "<message><message_name>message {number}</message_name><message_category>{number}</message_category></message>"
    ),
    (MM, "editMagnetMailMessage"): (
        "<message><message_id>{number}</message_id><message_name>foreign</message_name></message>"
    ),
    (MM, "GetMessageDetails"): "<MessageId>{number}</MessageId>",
    (MM, "getMessages"): LISTING,
    (MM, "getMessagesUTC"): LISTING,
    (MM, "getMessageList"): LISTING,
    (MM, "getMessageListUtc"): LISTING,
    (MM, "sendEmailToIndividual"): (
        "<message_id>{number}</message_id><recipients><string>ada@example.com</string></recipients>"
    ),
    (MM, "sendMessageToGroup"): "<message_id>{number}</message_id><group_ids><int>{number}</int></group_ids>",
    (MM, "getLinkURLs"): "<message_id>{number}</message_id><group_id>{number}</group_id>",
    (MM, "getOverallTracking"): "<message_id>{number}</message_id>",
    (MM, "getTrackingData"): "<message_id>{number}</message_id><group_id>{number}</group_id>",
    (MM, "getDetailedTracking"): "<message_id>{number}</message_id>",
    (MM, "getDetailedTrackingUTC"): "<report_type>all</report_type><message_id>{number}</message_id>",
    (MM, "GetMessageLinkTracking"): "<criteria><MessageId>{number}</MessageId></criteria>",
    (MM, "GetMessageSentTracking"): "<criteria><PageNo>1</PageNo></criteria>",
    (MM, "GetMessageOpenTracking"): "<criteria><PageNo>1</PageNo></criteria>",
    (MM, "CreateEventSignUp"): "<SignUp><EventId>{number}</EventId></SignUp>",
    (MM, "SearchPersonifySubscriptionMappings"): "<criteria></criteria>",
    (LK, "GetContact"): ADDRESS,
    (LK, "GetContactByEmailKey"): "<ListID>{number}</ListID><EmailKey>x</EmailKey>",
    (LK, "SetContact"): CONTACT,
    (LK, "UpdateContact"): CONTACT,
    (LK, "SubscribeFormPassThrough"): CONTACT,
    (LK, "ChangeContactEmailAddress"): ADDRESS + "<NewContactEmailAddress>b@foreign.example</NewContactEmailAddress>",
    (LK, "SubscribeContact"): ADDRESS,
    (LK, "UnsubscribeContact"): ADDRESS,
    (LK, "GetFilteredListCount"): "<ListID>{number}</ListID>",
    (LK, "CreateList"): "<WSList><ListName>list {number}</ListName></WSList>",
    (LK, "UpdateContactList"): (
        "<WSUpdateContactList><ListID>{number}</ListID><ListName>foreign</ListName></WSUpdateContactList>"
    ),
    (LK, "DeleteContactList"): "<ListID>{number}</ListID>",
    (LK, "AddGoogleTrackingDomainsToList"): (
        "<ListID>{number}</ListID><GoogleTrackingDomains><string>foreign.example</string></GoogleTrackingDomains>"
    ),
    (LK, "DeleteGoogleTrackingDomainsFromList"): "<ListID>{number}</ListID>",
    (LK, "GetAccountVmtaCollection"): "",
    (LK, "GetCampaignCollection"): "<ListID>{number}</ListID>",
    (LK, "GetCharacterSetCollection"): "",
    (LK, "ConductorGetExternalEvents"): "<ListID>{number}</ListID>",
    (LK, "ConductorGetConversations"): "<listID>{number}</listID>",
    (LK, "ConductorBulkLoadAndTriggerContacts"): "<ListID>{number}</ListID>" + TRIGGER,
    (LK, "ConductorBulkLoadAndTriggerContactsWithOptions"): "<ListID>{number}</ListID>" + TRIGGER,
    (LK, "UpdateProfileHeader"): (
        "<WSProfileHeader><HeaderID>{number}</HeaderID><Name>foreign</Name></WSProfileHeader>"
    ),
    (LK, "DeleteProfileHeader"): "<HeaderID>{number}</HeaderID>",
    (LK, "UpdateProfileAttribute"): ATTRIBUTE,
    (LK, "DeleteProfileAttribute"): "<AttributeID>{number}</AttributeID>",
    (LK, "ReportRangeSubscribedContacts"): PAGE,
    (LK, "ReportListContactRemoval"): PAGE,
    (LK, "ReportRangeListContactRemoval"): PAGE,
    (LK, "ReportListContactHygiene"): PAGE,
    (LK, "ReportRangeListContactHygiene"): PAGE,
    (LK, "ReportAdminContactFeedbackLoop"): "<Page>1</Page>",
    **{(LK, name): PAGE_OF_MESSAGE for name in declared(message_reports, location_reports)},
    **{(LK, name): PAGE_OF_CONVERSATION for name in declared(conversation_reports)},
    (LK, "ReportListMessageActivity"): SENT_MESSAGES,
    (LK, "ReportListMessageDelivery"): SENT_MESSAGES,
    (LK, "ReportListConversationActivity"): "<ListID>{number}</ListID>",
    (LK, "ReportListConversationDelivery"): "<ListID>{number}</ListID>",
    (LK, "ReportContactLinkClick"): "<LinkID>{number}</LinkID><Page>1</Page>",
    (LK, "ReportContactMessageActivity"): PAGE + "<EmailAddress>ada@example.com</EmailAddress>",
    (LK, "SendListMessage"): MESSAGE,
    (LK, "SendListMessageWithProfileFilter"): MESSAGE,
    (LK, "ScheduleSendListMessage"): MESSAGE + "<SendDateTime>2020-01-01T00:00:00</SendDateTime>",
    (LK, "ScheduleSendListMessageWithProfileFilter"): MESSAGE + "<SendDateTime>2020-01-01T00:00:00</SendDateTime>",
    (LK, "SendListMessageTest"): MESSAGE + "<TestEmailAddress>b@foreign.example</TestEmailAddress>",
    (LK, "SendListMessageReview"): MESSAGE,
    (LK, "SendSavedMessage"): "<SavedMsgID>{number}</SavedMsgID>",
    (LK, "SendSavedMessageTest"): (
        "<SavedMsgID>{number}</SavedMsgID><TestEmailAddress>b@foreign.example</TestEmailAddress>"
    ),
    (LK, "GetSavedMessageCollection"): "<ListID>{number}</ListID>",
    (LK, "SendTransactionalMessage"): (
        "<EmailAddress>b@foreign.example</EmailAddress><TransactionalMsgID>{number}</TransactionalMsgID>"
    ),
    (LK, "GetTransactionalMessageCollection"): "<ListID>{number}</ListID>",
    (LK, "GetMessageStatus"): "<MsgID>{number}</MsgID>",
    (LK, "GetSystemIDFromPublicID"): "<PublicID>x</PublicID><ObjectType>Message</ObjectType>",
    (LK, "GetMessageAnalyticsInformation"): "<MsgIDs><int>{number}</int></MsgIDs>",
    (LK, "GetSpamScore"): MESSAGE + "<TestEmail>b@foreign.example</TestEmail>",
    (LK, "BulkLoadContacts"): "<ListID>{number}</ListID>" + IMPORT,
    (LK, "BulkLoadContactsWithOptions"): "<ListID>{number}</ListID>" + IMPORT,
    (LK, "UpdateSubscribedContactAttribute"): "<AttributeID>{number}</AttributeID><Value>foreign</Value>",
    (LK, "UpdateSubscribedContactAttributeWithOptions"): "<AttributeID>{number}</AttributeID><Value>foreign</Value>",
    (LK, "GetProcessStatus"): "<ProcessID>{number}</ProcessID>",
    (LK, "GetLegacyProcessStatus"): "<ListID>{number}</ListID>",
    (LK, "GetContactList"): "<ListID>{number}</ListID>",
    (LK, "GetContactListCollection"): "",
    (LK, "CreateContactList"): "<ListName>list {number}</ListName>",
    (LK, "GetProfileHeaderCollection"): "<ListID>{number}</ListID>",
    (LK, "CreateProfileHeader"): "<WSProfileHeader><ListID>{number}</ListID><Name>foreign</Name></WSProfileHeader>",
    (LK, "CreateProfileAttribute"): (
        "<WSProfileAttribute><HeaderID>{number}</HeaderID><Name>foreign</Name></WSProfileAttribute>"
    ),
    (LK, "ReportSubscribedContacts"): "<ListID>{number}</ListID><Page>1</Page>",
    (LK, "ReportListImportHistory"): "<ListID>{number}</ListID><Page>1</Page>",
    (LK, "ReportImportContactDetail"): (
        "<ImportFileID>{number}</ImportFileID><Page>1</Page><ImportResult>All</ImportResult>"
    ),
}
# These make something new in the caller's own account, whatever numbers they are given.
MAKERS = {"addGroup", "UploadListInitialQueue", "CreateContactList", "CreateList", "uploadSuppressionList"}
OPEN = {"getErrorDetails", "Authenticate"}
WITH_SESSION = [name for space, name in CALLS if space == MM and name not in OPEN]
WITH_USER_ID = [
    operation.name
    for operation in MAGNETMAIL.operations
    if operation.name in WITH_SESSION and "user_id" in operation.request.__annotations__
]
EVERY = pytest.mark.parametrize(("space", "name"), CALLS, ids=[name for _, name in CALLS])
VERSIONS = pytest.mark.parametrize("version", ["1.1", "1.2"])


class World:
    """A demo server with a second account, and what the demo account had at the start."""

    def __init__(self, served: Any, client: httpx.Client) -> None:
        self.base = served.base
        self.client = client
        self.database = served.product.database
        accounts = Accounts(self.database)
        demo = accounts.named("DEMO")
        assert demo is not None
        self._demo = demo.id
        accounts.add_login(accounts.create("STRANGER", time_zone="UTC"), "stranger", "stranger")
        self.sessions = {name: self._log_on(name) for name in ("demo", "stranger")}
        self.before = self.belongings()
        self.rows_before = self.rows()
        assert all(self.rows_before[name] for name in ("list", "contact", "membership", "job", "message", "delivery"))

    def post(self, space: str, name: str, inner: str, header: str, version: str = "1.1") -> httpx.Response:
        body = (
            f'<s:Envelope xmlns:s="{SOAP[version]}"><s:Header>{header}</s:Header><s:Body>'
            f'<{name} xmlns="{space}">{inner}</{name}></s:Body></s:Envelope>'
        )
        path = "/mmapi.asmx" if space == MM else "/v31/IntegrationService.asmx"
        return self.client.post(self.base + path, content=body, headers={"Content-Type": MEDIA[version]})

    def call(self, space: str, name: str, number: int, login: str, version: str = "1.1") -> httpx.Response:
        """A call as a login, with its own credentials."""
        header = session(self.sessions[login]) if space == MM else user(login, login)
        return self.post(space, name, CALLS[space, name].format(number=number), header, version)

    def belongings(self) -> list[str]:
        """What the demo account sees of its own."""
        calls = [(MM, "getGroups"), (MM, "getGroupDetails"), (MM, "getGroupRecipients"), (MM, "getUploadJobStatus")]
        calls += [(LK, "GetContactListCollection"), (LK, "ReportSubscribedContacts"), (LK, "ReportListImportHistory")]
        calls += [(LK, "GetProfileHeaderCollection")]
        return [self.call(space, name, 1, "demo").text for space, name in calls]

    def rows(self) -> dict[str, list[Any]]:
        """Return the demo account's rows, by table; its sessions and logins tell when they were used last."""
        whose = {
            name: "account_id = ?"
            if "account_id" in table.c
            else "list_id IN (SELECT id FROM list WHERE account_id = ?)"
            for name, table in metadata.tables.items()
            if {"account_id", "list_id"} & set(table.c.keys()) and name not in ("session", "login")
        }
        # After each test: by the driver alone that takes a fifth of the time.
        with self.database.read() as connection:
            driver: Any = connection.connection.driver_connection
            return {
                name: driver.execute(f'SELECT * FROM "{name}" WHERE {condition}', (self._demo,)).fetchall()
                for name, condition in whose.items()
            }

    def _log_on(self, login: str) -> str:
        inner = f"<username>{login}</username><password>{login}</password>"
        found = re.search("<sessionId>(.*?)</sessionId>", self.post(MM, "Authenticate", inner, "").text)
        assert found is not None
        return found[1]


def session(token: str, account: str | None = None) -> str:
    named = "" if account is None else f"<user_id>{account}</user_id>"
    return f'<mmAuthHeader xmlns="{MM}"><sessionId>{token}</sessionId>{named}</mmAuthHeader>'


def user(name: str, password: str) -> str:
    return f'<WSUser xmlns="{LK}"><UserName>{name}</UserName><Password>{password}</Password></WSUser>'


def timeless(answer: httpx.Response) -> str:
    """An answer without the time of an error."""
    return re.sub("<DateTime>.*?</DateTime>", "", answer.text)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, demo_records: Path) -> Iterator[World]:
    data = tmp_path_factory.mktemp("world") / "data"
    # All refused logons here come from one address.
    with locally_served(data, demo_records, lock_failures=1000) as served, httpx.Client(timeout=30) as client:
        world = World(served, client)
        yield world
        assert world.belongings() == world.before


@pytest.fixture(autouse=True)
def _untouched(world: World) -> Iterator[None]:
    """Whatever a test does, the demo account's belongings stay as they were."""
    yield
    assert world.rows() == world.rows_before


def test_the_table_is_complete() -> None:
    assert {name for space, name in CALLS if space == MM} == magnetmail.available()
    assert {name for space, name in CALLS if space == LK} == listrak.available()


@VERSIONS
@EVERY
def test_a_foreign_number_is_like_one_that_does_not_exist(world: World, space: str, name: str, version: str) -> None:
    """mm-26, lk-19"""
    unknown = world.call(space, name, UNKNOWN, "stranger", version)
    # List 1 is the demo account's only one; jobs 1 and 2 are its upload and its send.
    # Message 1 is its saved one, message 2 what was sent.
    both = ("jobid", "ProcessID", "MsgID")
    for number in (1, 2) if any(word in CALLS[space, name] for word in both) else (1,):
        foreign = world.call(space, name, number, "stranger", version)
        assert foreign.status_code == unknown.status_code
        assert not any(word in foreign.text for word in ("Newsletter", "example.com", "people.csv", "DEMO"))
        if name not in MAKERS | OPEN:
            takes_number = "{number}" in CALLS[space, name]
            expected = timeless(unknown).replace(str(UNKNOWN), str(number) if takes_number else str(UNKNOWN))
            assert timeless(foreign) == expected


@VERSIONS
@pytest.mark.parametrize("name", WITH_SESSION)
def test_a_session_may_not_name_another_account(world: World, name: str, version: str) -> None:
    """mm-15, mm-16: in the header, in the body, or in both, whatever the other one says."""
    inner, own = CALLS[MM, name].format(number=1), world.sessions["stranger"]
    named = f"<user_id>DEMO</user_id>{inner}"
    tries = [(session(own, "DEMO"), inner), (session(own, "demo "), inner), (session(own, "DEMO"), named)]
    tries += [(session(own, "DEMO") + session(own), inner)]
    if name in WITH_USER_ID:
        tries += [(session(own), named), (session(own, "STRANGER"), named)]
        tries += [(session(own, "DEMO"), f"<user_id>STRANGER</user_id>{inner}")]
    for header, body in tries:
        answer = world.post(MM, name, body, header, version)
        assert answer.status_code == 500
        assert "[AccessDenied] This session may not use account" in answer.text


@VERSIONS
@pytest.mark.parametrize("name", WITH_SESSION)
def test_without_a_session(world: World, name: str, version: str) -> None:
    """mm-14"""
    inner = CALLS[MM, name].format(number=1)
    for header in (
        "",
        session(""),
        session("00000000-0000-0000-0000-000000000000", "DEMO"),
        session(world.sessions["demo"][:-1]),
        user("demo", "demo"),
        session(world.sessions["demo"]).replace(MM, LK),
        session("no") + session(world.sessions["demo"]),
    ):
        answer = world.post(MM, name, f"<user_id>DEMO</user_id>{inner}", header, version)
        assert answer.status_code == 500
        assert "[InvalidSession] The session is unknown or has expired. Call Authenticate again." in answer.text


@VERSIONS
@pytest.mark.parametrize("name", [name for space, name in CALLS if space == LK])
def test_without_a_user(world: World, name: str, version: str) -> None:
    """lk-9 to lk-12: refused before anything else is looked at. Each test may fail ten logons before they lock."""
    inner = CALLS[LK, name].format(number=1)
    for header in (
        "",
        user("", ""),
        user(f"nobody-{name}-{version}", "demo"),
        user(f"stranger {name} {version}", "stranger"),
        session(world.sessions["demo"]),
        user("demo", "demo").replace(LK, MM),
    ):
        for body in (inner, inner + "<Page>x</Page>"):
            answer = world.post(LK, name, body, header, version)
            assert answer.status_code == 500
            assert "[InvalidLogonAttempt] The user name or password is not valid." in answer.text


@pytest.mark.parametrize("login", ["stranger"])
def test_another_accounts_password(world: World, login: str) -> None:
    """lk-12, once: failures add up to a lock."""
    answer = world.post(LK, "GetContactListCollection", "", user("demo", login))
    assert "[InvalidLogonAttempt]" in answer.text
    answer = world.post(MM, "Authenticate", CALLS[MM, "Authenticate"], "")
    assert "<authenticated>false</authenticated>" in answer.text


def test_what_a_stranger_makes_is_the_strangers(world: World) -> None:
    for space, name in CALLS:
        if name in MAKERS:
            assert world.call(space, name, 1, "stranger").status_code == 200
    groups = world.call(MM, "getGroups", 1, "stranger").text
    assert "<group_id>1</group_id>" not in groups
    assert world.belongings() == world.before
