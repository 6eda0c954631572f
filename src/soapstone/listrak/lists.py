"""Lists and their subscribed contacts."""

from __future__ import annotations

from soapstone.listrak.call import PAGE_ROWS, Call, not_found
from soapstone.listrak.operations import (
    CreateContactList,
    CreateContactListResponse,
    GetContactList,
    GetContactListCollection,
    GetContactListResponse,
    ReportSubscribedContacts,
    ReportSubscribedContactsResponse,
)
from soapstone.listrak.types import WSContactList, WSContactSubscriptionInfo, WSVmta
from soapstone.lists.contact_list import ContactList
from soapstone.sending.mailbox import is_mailbox
from soapstone.wire.faults import Fault

# The sending pool that always exists (lk-40).
DEFAULT_POOL = 1
POOLS = {DEFAULT_POOL: "Default"}

# Settings that are switched on or off: wire member → name in the list's settings.
SWITCHES = {
    "EnableRemovalLink": "removal_link",
    "EnableBrowserLink": "browser_link",
    "EnableDoubleOptin": "double_opt_in",
    "EnableListHygiene": "hygiene",
    "ShowEmailList": "show_email_list",
    "ShowAdvancedPersonalization": "show_advanced_personalization",
    "EnableRSS": "rss",
    "EnableGoogleAnalytics": "analytics_tags",
    "EnableInternationalization": "internationalization",
    "EnableDynamicContent": "dynamic_content",
    "EnableListRemoveHeader": "list_remove_header",
}


def get_contact_list(call: Call, request: GetContactList) -> GetContactListResponse:
    """One list; nil for an unknown one (lk-19)."""
    found = call.find_list(request.ListID)
    return GetContactListResponse(WSContactList=None if found is None else _wire(call, found))


def get_contact_list_collection(call: Call, request: GetContactListCollection) -> list[WSContactList]:
    """All lists that were granted to the caller (lk-36)."""
    return [_wire(call, each) for each in call.product.lists.all(call.account.id, call.login)]


def create_contact_list(call: Call, request: CreateContactList) -> CreateContactListResponse:
    """Create a list (lk-36 to lk-43)."""
    name = (request.ListName or "").strip()
    if not name:
        raise Fault("[InvalidArgument] ListName is missing.")
    if request.BounceHandling not in (0, 1, 2):
        raise Fault(f"[InvalidArgument] BounceHandling is 0, 1 or 2, not {request.BounceHandling}.")
    if request.VmtaID and request.VmtaID not in POOLS:
        raise Fault(f"[InvalidArgument] There is no sending pool {request.VmtaID}.")
    if request.BounceUnsubscribeCount < 0:
        raise Fault("[InvalidArgument] BounceUnsubscribeCount is negative.")
    if request.FromEmail and not is_mailbox(request.FromEmail):
        raise Fault("[InvalidArgument] FromEmail is not an e-mail address.")
    settings: dict[str, object] = {
        "from_name": request.FromName or "",
        "from_address": request.FromEmail or "",
        "bounce_handling": request.BounceHandling,
        "bounce_limit": request.BounceUnsubscribeCount,
        "pool": request.VmtaID or DEFAULT_POOL,
        "link_domain": request.DomainAliasLink or "",
        "mail_domain": request.DomainAliasEmail or "",
        "tracking_domains": sorted({domain.lower() for domain in request.GoogleTrackingDomains or () if domain}),
    }
    settings |= {name: getattr(request, member) for member, name in SWITCHES.items()}
    made = call.product.lists.create(
        call.account.id, name, settings=settings, login_id=None if call.login.all_lists else call.login.id
    )
    return CreateContactListResponse(WSContactList=_wire(call, made))


def report_subscribed_contacts(call: Call, request: ReportSubscribedContacts) -> ReportSubscribedContactsResponse:
    """The subscribed contacts of a list by contact number (lk-30, lk-31, lk-34)."""
    found = call.find_list(request.ListID)
    if found is None:
        failure = call.failure("ReportSubscribedContacts", not_found(request.ListID))
        return ReportSubscribedContactsResponse(ReportSubscribedContactsResult=None, WSException=failure)
    page = max(request.Page, 1)
    members = call.product.members.page(found.id, state="subscribed", offset=(page - 1) * PAGE_ROWS, limit=PAGE_ROWS)
    rows = [
        WSContactSubscriptionInfo(
            ContactID=str(member.number),
            EmailAddress=member.email,
            AdditionDate=call.wall_clock(member.added_at),
            AdditionMethod=member.added_by,
        )
        for member in members
    ]
    return ReportSubscribedContactsResponse(ReportSubscribedContactsResult=rows, WSException=None)


def _wire(call: Call, found: ContactList) -> WSContactList:
    settings = found.settings
    pool = int(settings.get("pool", DEFAULT_POOL))
    return WSContactList(
        ListID=found.id,
        ListName=found.name,
        CreateDate=call.wall_clock(found.created_at),
        FromName=found.from_name,
        FromEmail=found.from_address,
        bounceHandling=settings.get("bounce_handling", 0),
        Vmta=WSVmta(VmtaID=pool, Description=POOLS[pool]),
        BounceUnsubscribeCount=settings.get("bounce_limit", 0),
        DomainAliasLink=settings.get("link_domain", ""),
        DomainAliasEmail=settings.get("mail_domain", ""),
        GoogleTrackingDomains=list(settings.get("tracking_domains", [])),
        **{member: bool(settings.get(name)) for member, name in SWITCHES.items()},
    )
