"""Answers beside one another: what is the same, renumbered, a matter of time, ours, and different."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.shadow.comparison import Comparison, Outcome
from soapstone.shadow.markup import Element, tree
from soapstone.shadow.numbers import Numbers, kind_at
from soapstone.wire.contract import Contract

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def outcome(inner: str) -> Outcome:
    return Outcome.of(tree(f'<s:Envelope xmlns:s="{SOAP}" {XSI}><s:Body>{inner}</s:Body></s:Envelope>'.encode()))


def compare(
    operation: str,
    live: str,
    ours: str,
    numbers: Numbers | None = None,
    contract: Contract = LISTRAK,
    **options: object,
) -> dict[str, list[str]]:
    """Agreements of each place."""
    comparison = Comparison(
        contract,
        contract.operations_by_name[operation],
        numbers or Numbers(),
        **options,  # type: ignore[arg-type]
    )
    wrapped = [outcome(f"<{operation}Response>{each}</{operation}Response>") for each in (live, ours)]
    found: dict[str, list[str]] = {}
    for each in comparison.compare(*wrapped):
        found.setdefault(each.place, []).append(each.agreement)
    return found


def lists(*pairs: tuple[int, str]) -> str:
    items = "".join(
        f"<WSContactList><ListID>{n}</ListID><ListName>{name}</ListName></WSContactList>" for n, name in pairs
    )
    return f"<GetContactListCollectionResult>{items}</GetContactListCollectionResult>"


ID = "GetContactListCollectionResult[]/ListID"
NAME = "GetContactListCollectionResult[]/ListName"


def test_numbers_of_items_with_the_same_texts_are_learned() -> None:
    numbers = Numbers()
    found = compare("GetContactListCollection", lists((7, "a"), (9, "b")), lists((1, "a"), (2, "b")), numbers)
    assert found[ID] == ["renumbered"] * 2
    assert found[NAME] == ["same"] * 2
    assert numbers.ours(LISTRAK.name, "list", "9") == "2"
    # From now on another number is another list, whatever its name.
    found = compare("GetContactListCollection", lists((9, "b")), lists((1, "b")), numbers)
    assert found[ID] == ["different"]


def test_items_are_found_by_a_known_number() -> None:
    numbers = Numbers()
    assert numbers.learn(LISTRAK.name, "list", "7", "1")
    found = compare("GetContactListCollection", lists((7, "new name")), lists((3, "x"), (1, "old name")), numbers)
    assert found[NAME] == ["different"]
    assert found[ID] == ["renumbered"]
    assert found["GetContactListCollectionResult[]"] == ["different"], "the third list is not there"


def test_missing_and_surplus_items_are_different() -> None:
    found = compare("GetContactListCollection", lists((1, "a"), (2, "b")), lists((1, "a")))
    assert found["GetContactListCollectionResult[]"] == ["different"]
    found = compare("GetContactListCollection", lists((1, "a")), lists((1, "a"), (2, "b")))
    assert found["GetContactListCollectionResult[]"] == ["different"]


def test_another_order_is_different() -> None:
    found = compare("GetContactListCollection", lists((1, "a"), (2, "b")), lists((2, "b"), (1, "a")))
    assert found["GetContactListCollectionResult(order)"] == ["different"]
    assert found[NAME] == ["same"] * 2


JOBS = "sendMessageToGroupResult/email_job_ids[]"


def test_numbers_that_are_only_answered() -> None:
    """mm-104, lk-83, mm-65, mm-127"""

    def sent(*jobs: int) -> str:
        items = "".join(f"<anyType>{each}</anyType>" for each in jobs)
        return f"<sendMessageToGroupResult><email_job_ids>{items}</email_job_ids></sendMessageToGroupResult>"

    numbers = Numbers()
    found = compare("sendMessageToGroup", sent(901, 902), sent(3, 4), numbers, MAGNETMAIL)
    assert found[JOBS] == ["renumbered"] * 2
    found = compare("sendMessageToGroup", sent(901), sent(4), numbers, MAGNETMAIL)
    assert found[JOBS] == ["different"]

    def processes(number: int) -> str:
        row = f"<WSLegacyProcessStatus><StatusID>{number}</StatusID></WSLegacyProcessStatus>"
        return f"<GetLegacyProcessStatusResult>{row}</GetLegacyProcessStatusResult>"

    found = compare("GetLegacyProcessStatus", processes(901), processes(3))
    assert found["GetLegacyProcessStatusResult[]/StatusID"] == ["renumbered"]

    def entry(number: int) -> str:
        ids = f"<InitialQueueId>{number}</InitialQueueId><JobId>{number + 1}</JobId><UploadId>{number}</UploadId>"
        return f"<GetUploadInitialQueueJobStatusResult>{ids}</GetUploadInitialQueueJobStatusResult>"

    found = compare("GetUploadInitialQueueJobStatus", entry(901), entry(3), contract=MAGNETMAIL)
    assert found["GetUploadInitialQueueJobStatusResult/UploadId"] == ["renumbered"]

    def fields(number: int) -> str:
        field = f"<PersonalizedField><fieldId>{number}</fieldId><fieldName>Size</fieldName></PersonalizedField>"
        return f"<GetEnhancedPersonalizedFieldsResult>{field}</GetEnhancedPersonalizedFieldsResult>"

    found = compare("GetEnhancedPersonalizedFields", fields(77), fields(1), contract=MAGNETMAIL)
    assert found["GetEnhancedPersonalizedFieldsResult[]/fieldId"] == ["renumbered"]


def contacts(*numbers: int) -> str:
    kind = "WSContactSubscriptionInfo"
    items = "".join(f"<{kind}><EmailAddress>p{n}@example.com</EmailAddress></{kind}>" for n in numbers)
    return f"<ReportSubscribedContactsResult>{items}</ReportSubscribedContactsResult>"


@pytest.mark.parametrize(("missing", "agreements"), [(0, ["ours"] * 10), (3, ["different", *["ours"] * 11])])
def test_pages_of_another_size(missing: int, agreements: list[str]) -> None:
    """Each item of theirs has to be on one of our pages."""

    def more() -> Iterator[Element]:
        for page in (range(1, 11), range(11, 21)):
            body = outcome(f"<r>{contacts(*(100 if n == missing else n for n in page))}</r>").element
            assert body is not None
            yield body

    theirs, ours = contacts(*range(1, 11)), contacts(*range(1, 21))
    found = compare("ReportSubscribedContacts", theirs, ours, more=more)
    assert found["ReportSubscribedContactsResult[]"] == agreements


def test_a_page_that_is_not_full_has_to_be_the_same() -> None:
    found = compare("ReportSubscribedContacts", contacts(1, 2, 3), contacts(1, 2), more=lambda: iter(()))
    assert found["ReportSubscribedContactsResult[]"] == ["different"]


@pytest.mark.parametrize(
    ("live", "ours", "lag", "agreement"),
    [
        ("2026-01-01T10:00:00", "2026-01-01T10:00:00", 0, "same"),
        ("2026-01-01T10:00:00Z", "2026-01-01T12:00:00+02:00", 0, "same"),
        ("2026-01-01T10:00:00", "2026-01-01T10:01:30", 0, "time"),
        ("2026-01-01T10:00:00", "2026-01-01T03:00:10", 0, "time"),
        ("2026-01-01T10:00:00", "2026-01-01T10:10:00", 0, "different"),
        ("2026-01-01T10:00:00", "2026-01-01T10:10:00", 600, "time"),
        ("2026-01-01T10:00:00", "2026-01-03T10:00:00", 0, "different"),
        ("2026-01-01T10:00:00", "0001-01-01T00:00:00", 0, "different"),
    ],
)
def test_dates(live: str, ours: str, lag: float, agreement: str) -> None:
    one, other = (f"<WSContactList><CreateDate>{each}</CreateDate></WSContactList>" for each in (live, ours))
    assert compare("GetContactList", one, other, lag=lag)["WSContactList/CreateDate"] == [agreement]


@pytest.mark.parametrize(
    ("live", "ours", "agreement"),
    [("1", "1.0", "same"), ("1", "2", "different"), ("", "0", "different"), ("7", "7", "same")],
)
def test_values_are_compared_by_their_types(live: str, ours: str, agreement: str) -> None:
    kind = "getUploadJobStatusResult"
    one, other = (f"<{kind}><status>{each}</status></{kind}>" for each in (live, ours))
    found = compare("getUploadJobStatus", one, other, contract=MAGNETMAIL)
    assert found["getUploadJobStatusResult/status"] == [agreement]


def test_absent_nil_and_empty_members() -> None:
    empty, nil, absent = "<WSContact><EmailAddress /></WSContact>", '<WSContact xsi:nil="true" />', ""
    assert compare("GetContact", nil, absent)["WSContact"] == ["same"]
    assert compare("GetContact", empty, nil)["WSContact"] == ["different"]
    assert compare("GetContact", empty, "<WSContact />")["WSContact/EmailAddress"] == ["different"]


def test_members_that_no_contract_has() -> None:
    found = compare("GetContact", "<WSContact><New>1</New></WSContact>", "<WSContact />")
    assert found["WSContact/(undeclared) New"] == ["different"]


FAULT = "<s:Fault xmlns:s='x'><faultcode>s:{}</faultcode><faultstring>{}</faultstring></s:Fault>"
FAULT_12 = (
    "<s:Fault xmlns:s='x'><s:Code><s:Value>s:Receiver</s:Value></s:Code>"
    "<s:Reason><s:Text>b</s:Text></s:Reason></s:Fault>"
)


def test_faults() -> None:
    comparison = Comparison(LISTRAK, LISTRAK.operations_by_name["GetContact"], Numbers())

    def agreements(live: str, ours: str) -> dict[str, str]:
        return {each.place: each.agreement for each in comparison.compare(outcome(live), outcome(ours))}

    server = FAULT.format("Server", "a")
    assert agreements(server, FAULT_12) == {"(fault code)": "same", "(fault text)": "ours"}
    assert agreements(server, FAULT.format("Client", "a")) == {"(fault code)": "different", "(fault text)": "same"}
    assert agreements(server, "<GetContactResponse />") == {"(fault)": "different"}


def test_an_exception_in_an_answer_is_a_refusal() -> None:
    assert outcome("<a><WSException><Description>No.</Description></WSException></a>").refused
    assert not outcome('<a><WSException xsi:nil="true" /></a>').refused


@pytest.mark.parametrize(
    ("contract", "path", "kind"),
    [
        (LISTRAK, ("GetContact", "ListID"), "list"),
        (LISTRAK, ("SetContact", "WSContact", "ListID"), "list"),
        (LISTRAK, ("BulkLoadContacts", "fileMappings", "WSFileMappings", "AttributeID"), "attribute"),
        (LISTRAK, ("GetMessageAnalyticsInformation", "MsgIDs", "int"), "message"),
        (LISTRAK, ("GetContact", "ContactEmailAddress"), None),
        (LISTRAK, ("GetContact", "Unknown", "ListID"), None),
        (MAGNETMAIL, ("sendMessageToGroup", "group_ids", "int"), "group"),
        (MAGNETMAIL, ("unsubscribeRecipients", "unsubscribes", "Unsubscribe", "GroupId"), "group"),
        (MAGNETMAIL, ("editRecipient", "recipient_id"), "recipient"),
        (MAGNETMAIL, ("editRecipient", "first_name"), None),
    ],
)
def test_where_requests_have_numbers(contract: Contract, path: tuple[str, ...], kind: str | None) -> None:
    assert kind_at(contract, contract.operations_by_name[path[0]], path) == kind
