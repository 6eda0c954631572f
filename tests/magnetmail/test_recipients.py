"""Recipients through a stock client: adding, changing, groups, searches, unsubscribes, suppression (mm-71 to mm-86,
mm-116 to mm-130)."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

import pytest
import zeep.exceptions

from soapstone.contacts.changes import Changes
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.vocabulary.contacts import MembershipState


@pytest.fixture(scope="module")
def records(served: Any) -> Any:
    database = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    yield Product.open(Settings(data_dir=served.data), database)
    database.close()


@pytest.fixture(scope="module")
def demo(records: Product) -> Any:
    account = records.accounts.named("DEMO")
    assert account is not None
    return account


def address() -> str:
    return f"{uuid4().hex}@example.com"


def group(magnetmail: Any) -> int:
    return int(magnetmail.addGroup(group_name=str(uuid4()), categoryId=0)["id"])


def add(magnetmail: Any, email: str | None, *groups: int, **members: Any) -> Any:
    return magnetmail.addRecipient(email=email, text_only=False, Groups={"int": list(groups)}, **members)


def names(magnetmail: Any, recipient: dict[str, Any]) -> list[int]:
    found = magnetmail.getRecipientGroups(recipient=recipient) or []
    return [each["Id"] for each in found]


def details(magnetmail: Any, number: Any) -> Any:
    return magnetmail.getRecipientDetails(recipient_id=int(number))


def test_forms_of_one_mailbox_are_one_recipient(magnetmail: Any) -> None:
    """lk-64, mm-53, mm-72: in both contracts."""
    name, here = uuid4().hex, group(magnetmail)
    made = add(magnetmail, f"{name}@bücher.example", here)
    assert made["error"] == 0
    for form in (
        f"{name.upper()}@xn--bcher-kva.example",
        f"{name}@BU\u0308CHER.example",
        f"{name}@ｂüｃｈｅｒ．example",
    ):
        again = add(magnetmail, form, here)
        assert again["error"] != 0
        assert again["msg"] == add(magnetmail, f"{name}@bücher.example")["msg"]
    assert details(magnetmail, made["id"])["email"] == f"{name}@bücher.example"


def test_add_recipient(magnetmail: Any) -> None:
    """mm-19, mm-20, mm-72, mm-73"""
    email, here = address(), group(magnetmail)
    made = add(magnetmail, email, here, first_name="Ann", address_1="Street 1", custom7="x", custom_id="C1")
    assert (made["error"], made["msg"]) == (0, "Recipient added successfully")
    assert made["errorObj"]["errorNumber"] == 0
    found = details(magnetmail, made["id"])
    assert (found["id"], found["email"], found["first_name"]) == (str(int(made["id"])), email, "Ann")
    assert (found["address"], found["custom7"], found["Custom_Id"]) == ("Street 1", "x", "C1")
    assert [found[name] for name in ("unsubscribed", "email_send_suppress", "email_confirm", "suppressed")] == [
        False,
        False,
        True,
        False,
    ]
    assert names(magnetmail, {"id": str(int(made["id"]))}) == [here]
    there = add(magnetmail, email.upper())
    assert (there["error"], there["id"], there["msg"]) == (1005, made["id"], "RECIPIENT_EXISTS")
    none = add(magnetmail, None)
    assert (none["error"], none["id"], none["errorObj"]["errorCode"]) == (2, 0, "NO_EMAIL")
    assert none["errorObj"]["errorNumber"] == 1003
    assert none["errorObj"]["errorDetails"] == (
        "Error Details:\nError Category:1Component:Recipient\nFunction:addRecipient"
    )
    wrong = add(magnetmail, "no address")
    assert (wrong["error"], wrong["errorObj"]["errorNumber"]) == (2, 9001)
    nobody = address()
    refused = add(magnetmail, nobody, here, 987654)
    assert (refused["error"], refused["errorObj"]["errorNumber"]) == (2, 9002)
    assert names(magnetmail, {"email": nobody}) == []
    assert add(magnetmail, f"info@{uuid4().hex}.example.com")["error"] == 0


def test_edit_recipient(magnetmail: Any) -> None:
    """mm-24, mm-26, mm-74, mm-75"""
    email, other, here = address(), address(), group(magnetmail)
    number = int(add(magnetmail, email, here, first_name="Ann", company="Acme")["id"])
    someone = int(add(magnetmail, other)["id"])
    edited = magnetmail.editRecipient(recipient_id=number, email=email, text_only=True, last_name="Lee")
    assert (edited["error"], edited["msg"], edited["id"]) == (0, "Recipient edited successfully", number)
    found = details(magnetmail, number)
    assert (found["first_name"], found["last_name"], found["company"]) == (None, "Lee", None)
    assert found["text_only"] is True
    assert names(magnetmail, {"id": str(number)}) == [here]
    clash = magnetmail.editRecipient(recipient_id=number, email=other, text_only=False)
    assert (clash["error"], clash["id"]) == (1005, someone)
    unknown = magnetmail.editRecipient(recipient_id=987654321012, email=address(), text_only=False)
    assert unknown["errorObj"]["errorNumber"] == 9002
    assert magnetmail.getRecipientDetails(recipient_id=987654321012) is None


def test_groups_of_a_recipient(magnetmail: Any) -> None:
    """mm-80, mm-81, mm-82"""
    email = address()
    one, two = group(magnetmail), group(magnetmail)
    number = int(add(magnetmail, email, one, custom_id=email)["id"])

    def edit(new: list[int], left: list[int], recipient: int = number) -> Any:
        return magnetmail.editRecipientGroups(
            recipient_id=recipient, message_id=0, new_groups={"int": new}, unsubscribed_groups={"int": left}
        )

    assert edit([two], [one]) is True
    for named in ({"id": str(number)}, {"email": email.upper()}, {"Custom_Id": email}):
        assert names(magnetmail, named) == [two]
    assert magnetmail.getGroupRecipientsCount(groupId=one) == 0
    assert edit([one, 987654], [two]) is False
    assert names(magnetmail, {"id": str(number)}) == [two]
    assert edit([], [], 987654) is False
    assert edit([one], []) is True
    assert names(magnetmail, {"id": str(number)}) == [one, two]


def search(magnetmail: Any, page: int = 1, size: int = 100, **criteria: Any) -> list[str]:
    answer = magnetmail.searchForRecipients(criteria={"pageNo": page, "pageSize": size, **criteria})
    rows = answer["Recipient"] if answer and "Recipient" in answer else answer and answer["recipients"]
    rows = rows["Recipient"] if isinstance(rows, dict) else rows
    return [each["email"] for each in rows or []]


def test_search(magnetmail: Any) -> None:
    """mm-36, mm-37, mm-78, mm-79"""
    mark = uuid4().hex
    people = [f"{n}-{mark}@example.com" for n in "abc"]
    for n, email in enumerate(people):
        add(magnetmail, email, last_name=f"Müller-{mark}", city=f"City {n}", custom_id=f"{mark}-{n}", custom1="100%")
    add(magnetmail, address(), last_name="Other")
    assert search(magnetmail, last_name=f"MÜLLER-{mark.upper()}") == people
    assert search(magnetmail, last_name=f"müller-{mark}", city="city 1") == people[1:2]
    assert search(magnetmail, last_name=f"m*{mark[:20]}*") == people
    assert search(magnetmail, last_name=f"ller-{mark}") == []
    assert search(magnetmail, email=people[2].upper()) == people[2:]
    assert search(magnetmail, email=f"a-{mark}*") == people[:1]
    assert search(magnetmail, email=f"*-{mark}@example.com") == people
    assert search(magnetmail, Custom_Id=f"{mark}-1") == people[1:2]
    assert search(magnetmail, Custom_Id=f"{mark}*") == people
    assert search(magnetmail, last_name=f"Müller-{mark}", custom1="100%") == people
    assert search(magnetmail, last_name=f"Müller-{mark}", custom1="1%") == []
    assert search(magnetmail, last_name=f"Müller-{mark}", unsubscribed=True) == []
    pages = [search(magnetmail, page, 2, last_name=f"Müller-{mark}") for page in (0, 1, 2, 3)]
    assert pages == [people[:2], people[:2], people[2:], []]
    everybody = search(magnetmail, 1, 2000)
    assert set(people) <= set(everybody)
    number = magnetmail.searchForRecipients(criteria={"pageNo": 1, "pageSize": 1, "id": "x"})
    assert not number or not number.get("Recipient")


def test_saved_searches(magnetmail: Any, records: Product, demo: Any) -> None:
    """mm-83, mm-84"""
    mark = uuid4().hex
    email = f"saved-{mark}@example.com"
    add(magnetmail, email, company=f"Company {mark}")
    records.saved_searches.add(demo.id, f"Search {mark}", {"company": f"company {mark}"}, login_id=1)
    found = magnetmail.getSavedSearches(search_name=f"Search {mark}", loginid=0)
    assert [each["Search_Name"] for each in found] == [f"Search {mark}"]
    assert len(magnetmail.getSavedSearches(search_name="", loginid=0)) >= 1
    assert magnetmail.getSavedSearches(search_name="", loginid=77) in (None, [])
    assert [each["email"] for each in magnetmail.runSavedSearch(search_name=f"Search {mark}")] == [email]
    assert magnetmail.runSavedSearch(search_name="Nobody's") in (None, [])


def test_subscribed_recipients(magnetmail: Any) -> None:
    """mm-33, mm-34, mm-85"""
    here, email = group(magnetmail), address()
    number = int(add(magnetmail, email, here)["id"])
    open_range = {"startDate": datetime.datetime(1, 1, 1), "endDate": datetime.datetime(9999, 12, 31)}

    def ask(kind: str, **more: Any) -> list[Any]:
        given = {**open_range, "group_ids": {"int": [here]}, "report_type": kind, **more}
        return magnetmail.getSubscribedRecipients(**given) or []

    added = ask("add")
    assert [(each["recipient"]["email"], each["groups"]["int"]) for each in added] == [(email, [here])]
    moment = added[0]["add_update_date"]
    assert ask("update") == []
    magnetmail.editRecipient(recipient_id=number, email=email, text_only=False, city="Rome")
    assert [each["recipient"]["city"] for each in ask("")] == ["Rome"]
    second = datetime.timedelta(seconds=1)
    assert len(ask("add", startDate=moment, endDate=moment)) == 1
    assert ask("add", startDate=moment + second) == []
    assert ask("add", endDate=moment - second) == []
    assert ask("add", group_ids={"int": [987654]}) == []


def test_history_of_a_recipient(magnetmail: Any) -> None:
    """mm-24, mm-86: the demo account has mailed its list."""
    number = int(magnetmail.page(1)[0]["RecipientId"])
    mails = magnetmail.getRecipientHistory(recipient_id=number)["emailHistory"]["email_history"]
    assert mails[0]["send_result"] == "Delivered"
    assert mails[0]["message_name"].startswith("Welcome")
    assert mails[0]["open_date"].year == 1
    assert magnetmail.getRecipientHistory(recipient_id=987654) is None


def test_unsubscribes(magnetmail: Any, records: Product) -> None:
    """mm-39, mm-77, mm-116, mm-120, mm-122: from everything"""
    one, two, email = group(magnetmail), group(magnetmail), address()
    number = int(add(magnetmail, email, one)["id"])

    def row(recipient: int, **members: Any) -> dict[str, Any]:
        return {"Id": 0, "RecipientId": recipient, "MessageId": 0, "GroupId": 0, **members}

    rows = [row(number, MessageId=77), row(987654), row(number, GroupCategoryId="987654"), row(number, GroupId=987654)]
    answer = magnetmail.unsubscribeRecipients(unsubscribes={"Unsubscribe": rows})
    assert [each["Id"] > 0 for each in answer] == [True, False, False, False]
    assert answer[0]["UserId"] == "DEMO"
    assert details(magnetmail, number)["unsubscribed"] is True
    assert names(magnetmail, {"id": str(number)}) == [one]
    assert magnetmail.getGroupDetails(groupId=one)["TotalUnsubscribed"] == 1
    magnetmail.editRecipientGroups(recipient_id=number, message_id=0, new_groups={"int": [two]})
    assert magnetmail.getGroupDetails(groupId=two)["TotalUnsubscribed"] == 1
    open_range = {"fromDate": datetime.datetime(1, 1, 1), "toDate": datetime.datetime(1, 1, 1)}
    mine = [each for each in magnetmail.getUnsubscribes(**open_range) if each["recipient"]["email"] == email]
    assert len(mine) == 1
    assert (mine[0]["group_name"], mine[0]["message_name"]) == (None, None)
    criteria = {"PageNo": 1, "PageSize": 1, "MessageId": 77, "GroupId": 0, "GroupCategoryId": 0}
    dates = {"SearchStartDate": datetime.datetime(1, 1, 1), "SearchEndDate": datetime.datetime(9999, 1, 1)}
    found = magnetmail.GetUnsubscribeTracking(criteria={**criteria, **dates})
    assert found["Count"] >= 1
    assert found["data"]["UnsubscribeTrackingData"][0]["MessageId"] == 77
    assert magnetmail.getSpamComplaints(**open_range) in (None, [])


@pytest.mark.parametrize("kind", ["lists", "list_categories", "message_categories"])
def test_types_of_unsubscribe(product: Product, kind: str, desk: Any) -> None:
    """mm-120, mm-121, mm-122"""
    from soapstone.magnetmail.types import Unsubscribe

    product.accounts.change(desk.account, unsubscribe_type=kind)
    clubs = product.list_categories.add(desk.account.id, "Clubs")
    news = product.message_categories.add(desk.account.id, "News")
    one = product.lists.create(desk.account.id, "One", category_id=clubs.id)
    two = product.lists.create(desk.account.id, "Two")
    number = int(desk.addRecipient(email="ann@example.com", Groups=[one.id, two.id]).id)

    def unsubscribe(**members: Any) -> int:
        given = {"Id": 0, "RecipientId": number, "MessageId": 0, "GroupId": 0, "UserId": ""}
        given |= {"MessageCategoryId": "", "GroupCategoryId": ""}
        return int(desk.unsubscribeRecipients(unsubscribes=[Unsubscribe(**{**given, **members})])[0].Id)

    assert unsubscribe() == 0
    given: dict[str, dict[str, Any]] = {
        "lists": {"GroupId": one.id},
        "list_categories": {"GroupCategoryId": str(clubs.id)},
        "message_categories": {"MessageCategoryId": str(news.id)},
    }
    assert unsubscribe(**given[kind]) > 0
    states = [desk.members(group)["ann@example.com"][0] for group in (one, two)]
    assert states == (["subscribed"] * 2 if kind == "message_categories" else ["unsubscribed", "subscribed"])
    assert desk.getRecipientDetails(recipient_id=number).unsubscribed is False
    assert desk.getUserDetails().unsubscribe_type == {"lists": 2, "message_categories": 3, "list_categories": 4}[kind]
    assert len(desk.getUnsubscribes()) == 1


def test_suppression(magnetmail: Any) -> None:
    """mm-77, mm-123 to mm-126"""
    here, email, stranger = group(magnetmail), address(), address()
    number = int(add(magnetmail, email, here, fax="12345", custom_id=email)["id"])

    def shut(by: str, kind: str, *people: dict[str, Any]) -> tuple[int, int]:
        given = {"suppressby": by, "type": kind, "recipients": {"Recipient": list(people)}}
        answer = magnetmail.uploadSuppressionList(suppressionlist=given)
        return answer["new_added"], answer["total_updated"]

    assert shut("CustomId", "Fax", {"Custom_Id": email}) == (0, 1)
    found = details(magnetmail, number)
    assert [found[name] for name in ("fax_send_suppress", "email_send_suppress", "suppressed")] == [True, False, True]
    assert shut("Email", "EmailAndSms", {"email": email}, {"email": stranger, "city": "Rome"}, {"email": "x"}) == (1, 1)
    assert shut("Email", "Email", {"email": email}) == (0, 0)
    found = details(magnetmail, number)
    assert (found["fax_send_suppress"], found["email_send_suppress"]) == (True, True)
    assert found["suppressed_date"] is not None
    totals = magnetmail.getGroupDetails(groupId=here)
    kinds = ("TotalEmailSuppressed", "TotalFaxSuppressed", "TotalEmailAndFaxSuppressed")
    assert [totals[name] for name in kinds] == [1, 1, 1]
    open_range = {"start_date": datetime.datetime(1, 1, 1), "end_date": datetime.datetime(1, 1, 1)}
    listed = magnetmail.getSuppressedRecipientList(group_id=here, **open_range)
    assert [each["recipient"]["email"] for each in listed] == [email]
    fields = listed[0]["extended_field"]["RecipientExtendedField"]
    assert (fields[0]["field_name"], fields[0]["field_value"]) == ("SuppressionType", "EmailFaxAndSms")
    everybody = magnetmail.getSuppressedRecipientList(group_id=None, **open_range)
    assert {email, stranger} <= {each["recipient"]["email"] for each in everybody}
    assert search(magnetmail, email=stranger, email_send_suppress=True, suppressed=True) == [stranger]
    moved = address()
    magnetmail.editRecipient(recipient_id=number, email=moved, text_only=False)
    assert details(magnetmail, number)["email_send_suppress"] is True


def test_categories(magnetmail: Any, records: Product, demo: Any) -> None:
    """mm-24, mm-25, mm-91, mm-93, mm-94"""
    clubs = records.list_categories.add(demo.id, f"Clubs {uuid4()}", login_id=1)
    news = records.message_categories.add(demo.id, f"News {uuid4()}")
    found = magnetmail.GetGroupCategory(groupCategoryId=clubs.id)
    assert (found["CategoryName"], found["MailUserId"], found["LoginId"], found["Status"]) == (
        clubs.name,
        "DEMO",
        1,
        1,
    )
    records.list_categories.change(demo.id, clubs.id, active=False)
    listed = {each["ID"]: each["Status"] for each in magnetmail.GetAllGroupCategories()}
    assert listed[clubs.id] == 0
    assert magnetmail.GetGroupCategory(groupCategoryId=987654) is None
    assert [each["Name"] for each in magnetmail.GetMessageCategory(messageCategoryId=str(news.id))] == [news.name]
    assert news.id in [each["ID"] for each in magnetmail.GetMessageCategory(messageCategoryId="")]
    assert magnetmail.GetMessageCategory(messageCategoryId="987654") in (None, [])
    made = int(magnetmail.addGroup(group_name=str(uuid4()), categoryId=clubs.id)["id"])
    without = int(magnetmail.addGroup(group_name=str(uuid4()), categoryId=987654)["id"])
    kept = [records.lists.any(number) for number in (made, without)]
    assert [each and each.category_id for each in kept] == [clubs.id, None]


def test_user_details_and_fields(magnetmail: Any, records: Product, demo: Any) -> None:
    """mm-28, mm-30, mm-43, mm-66, mm-119, mm-130"""
    user = magnetmail.getUserDetails()
    assert (user["User_Id"], user["unsubscribe_type"], user["hasCustomId"], user["hasFax"]) == ("DEMO", 1, False, False)
    assert (user["hasEmail"], user["web_version"], user["enable_ignore_dedupe"]) == (True, True, True)
    assert user["UploadSystemVersion"] == 2
    extended = magnetmail.GetEnhancedPersonalizedFields(loginId=5)
    colour = next(each for each in extended if each["fieldName"] == "Favourite colour")
    assert colour["uploadMappingName"] == f"EP_{int(colour['fieldId'])}"
    local = magnetmail.getGroups(display_status=2, subscription_groups=2)[0]
    utc = magnetmail.getGroupsUTC(display_status=2, subscription_groups=2)[0]
    assert utc["group_created"].tzinfo is not None
    assert local["group_created"].tzinfo is None
    assert utc["last_updated_date"].year == 1


def test_labels(desk: Any, product: Product) -> None:
    """mm-43"""
    product.accounts.change(desk.account, field_labels={"custom1": "Shoe size"})
    labels = {each.fieldNamevalue: each.fieldNameText for each in desk.getRecipientFields()}
    assert (labels["custom1"], labels["custom2"], labels["First_Name"]) == ("Shoe size", "custom2", "First Name")


def test_people_with_custom_ids(product: Product, desk: Any) -> None:
    """mm-53, mm-72: the custom id tells people apart; addresses may repeat."""
    product.accounts.change(desk.account, identifier="custom_id")
    one = desk.addRecipient(email="all@example.com", custom_id="1")
    two = desk.addRecipient(email="all@example.com", custom_id="2")
    assert (one.error, two.error) == (0, 0)
    assert desk.addRecipient(email="other@example.com", custom_id="2").id == two.id
    assert desk.addRecipient(email="all@example.com").errorObj.errorNumber == 9001
    assert desk.addRecipient(custom_id="3").error == 0
    assert desk.getUserDetails().hasCustomId is True


def sign_up(magnetmail: Any, event: int, *people: dict[str, Any], **members: Any) -> Any:
    flags = {"IsMultipleRegistration": False, "IsSignupModeLive": True, "LoginId": 0}
    given = {"EventId": event, **flags, "Registrants": {"Registrant": list(people)}, **members}
    return magnetmail.CreateEventSignUp(SignUp=given)


def test_event_sign_up(magnetmail: Any, records: Product, demo: Any, served: Any) -> None:
    """mm-127, mm-128"""
    party = records.event_sign_ups.add(demo.id, "Party")
    email = address()
    ann = {"EmailAddress": email, "FirstName": "Ann", "ClientReferenceId": "r1"}
    answer = sign_up(magnetmail, party.id, ann, {**ann, "EmailAddress": address()})
    assert answer["ResultCode"] == 0
    rows = answer["RegistrantSignupResult"]["RegistrantSignupResult"]
    assert [(each["EmailAddress"] == email, each["RegistrantSignupOverallResult"]) for each in rows] == [
        (True, True),
        (False, True),
    ]
    assert len({each["RMSignupReferenceId"] for each in rows}) == 1
    kept = records.event_sign_ups.signed_up(party)
    assert (kept[0].email, kept[0].reference, kept[0].live) == (email, "r1", True)
    unknown = sign_up(magnetmail, 987654, ann)
    assert (unknown["ResultCode"], unknown["ResultFailureReasonCode"]) == (1, "NOT_FOUND")
    secret = "4111111111111111"
    card = {"CreditCardInfo": {"CardNumber": secret, "CardName": "Ann"}}
    refused = sign_up(magnetmail, party.id, ann, PaymentInfo=card)
    assert (refused["ResultCode"], refused["ResultFailureReasonCode"]) == (1, "PAYMENT_NOT_SUPPORTED")
    assert len(records.event_sign_ups.signed_up(party)) == 2
    assert secret not in served.log()
    assert secret.encode() not in (served.data / "soapstone.sqlite-wal").read_bytes()
    records.event_sign_ups.open(demo.id, party.id, False)
    assert sign_up(magnetmail, party.id, ann)["ResultCode"] == 1


def test_who_waits_for_confirmation(magnetmail: Any, records: Product, demo: Any) -> None:
    """mm-76: by double opt-in, on some list; everybody else has confirmed, or needs not."""
    email, here = address(), group(magnetmail)
    number = int(add(magnetmail, email, here)["id"])
    with Changes(records.database).begin(demo) as change:
        change.move(here, number, MembershipState.UNCONFIRMED)
    assert details(magnetmail, number)["email_confirm"] is False
    criteria = {"email": email, "pageNo": 1, "pageSize": 9}
    for confirmed, found in ((False, 1), (True, 0)):
        rows = magnetmail.searchForRecipients(criteria={**criteria, "email_confirm": confirmed})
        assert len((rows and rows["Recipient"]) or []) == found
    with Changes(records.database).begin(demo) as change:
        change.move(here, number, MembershipState.SUBSCRIBED)
    assert details(magnetmail, number)["email_confirm"] is True


def test_personify_mappings(magnetmail: Any, records: Product, demo: Any) -> None:
    """mm-129"""
    mark = uuid4().hex
    for number in (1, 2):
        records.mappings.add(
            demo.id, object_type=mark, identifier=f"P{number}", own_type="Group", own_id=number, own_name="News"
        )

    def ask(kind: str, identifier: str) -> Any:
        wanted = {"ObjectInPersonify": {"ObjectType": kind, "Identifier": identifier}}
        return magnetmail.SearchPersonifySubscriptionMappings(criteria=wanted)

    assert ask(mark, "")["Count"] == 2
    found = ask(mark, "P2")["data"]["PersonifySubscriptionMapping"]
    assert [(each["PersonifyId"], each["RealMagnetObjectId"], each["RealMagnetType"]) for each in found] == [
        ("P2", 2, "Group")
    ]
    assert ask(mark.upper(), "")["Count"] == 0


def test_missing_arguments(magnetmail: Any) -> None:
    """mm-27"""
    for operation in ("searchForRecipients", "GetUnsubscribeTracking", "uploadSuppressionList", "CreateEventSignUp"):
        with pytest.raises(zeep.exceptions.Fault, match="InvalidRequest"):
            getattr(magnetmail, operation)()
