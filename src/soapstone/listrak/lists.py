"""Lists and their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from soapstone.errors import InvalidError
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import Call, answer
from soapstone.lists.lists import ContactList
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.wire.types import Struct

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


def get_contact_list(call: Call, request: op.GetContactList) -> t.WSContactList | None:
    """Return one list; nil for an unknown one (lk-19)."""
    found = call.find_list(request.ListID)
    return None if found is None else _wire(call, found)


def get_contact_list_collection(call: Call, request: op.GetContactListCollection) -> list[t.WSContactList]:
    """Return all lists that were granted to the caller (lk-36)."""
    return [_wire(call, each) for each in call.product.lists.all(call.account.id, call.login)]


def create_contact_list(call: Call, request: op.CreateContactList) -> t.WSContactList:
    """Create a list (lk-36 to lk-43)."""
    settings = _settings(request, request.BounceHandling)
    settings["tracking_domains"] = _domains(request.GoogleTrackingDomains)
    return _wire(call, _create(call, request.ListName, settings))


def create_list(call: Call, request: op.CreateList) -> op.CreateListResponse:
    """Create a list from an object, which comes back as it is stored (lk-36)."""
    asked = request.WSList
    try:
        if asked is None:
            raise InvalidError("WSList is missing.")
        made = _create(call, asked.ListName, _settings(asked, asked.bounceHandling, asked.Vmta))
    except InvalidError as refusal:
        failure = call.failure(request, refusal)
        return op.CreateListResponse(CreateListResult=False, WSList=asked, WSException=failure)
    whole = _wire(call, made).__dict__
    known = {name: whole[name] for name in t.WSList.__annotations__}
    return op.CreateListResponse(CreateListResult=True, WSList=t.WSList(**known), WSException=None)


def update_contact_list(call: Call, request: op.UpdateContactList) -> t.WSUpdateContactList | None:
    """Set a list up anew; it comes back as it is set up now, nil when there is none (lk-19, lk-36)."""
    asked = request.WSUpdateContactList
    if asked is None:
        raise InvalidError("WSUpdateContactList is missing.")
    if call.find_list(asked.ListID) is None:
        return None
    settings = _settings(asked, list(t.BounceHandlingSettings).index(asked.BounceHandling))
    settings["merchant"] = asked.DefaultMerchantID
    changed = call.product.lists.change(
        call.account.id, asked.ListID, name=_name(asked.ListName), settings=settings, login_id=call.login.id
    )
    return None if changed is None else _wire_update(changed)


def delete_contact_list(call: Call, request: op.DeleteContactList) -> bool:
    """Delete a list; false for an unknown one, and while a send or import of it is not over (lk-19, lk-44)."""
    found = call.find_list(request.ListID)
    return found is not None and call.product.lists.delete(call.account.id, found.id)


def add_google_tracking_domains(call: Call, request: op.AddGoogleTrackingDomainsToList) -> bool:
    """Put domains on a list; true when they are on it afterwards (lk-42)."""
    return _change_domains(call, request.ListID, lambda held: held | set(_domains(request.GoogleTrackingDomains)))


def delete_google_tracking_domains(call: Call, request: op.DeleteGoogleTrackingDomainsFromList) -> bool:
    """Take domains off a list; true when they are not on it afterwards (lk-42)."""
    return _change_domains(call, request.ListID, lambda held: held - set(_domains(request.GoogleTrackingDomains)))


def get_account_vmta_collection(call: Call, request: op.GetAccountVmtaCollection) -> Struct:
    """Return the sending pools (lk-40)."""
    pools = [t.WSVmta(VmtaID=number, Description=name) for number, name in POOLS.items()]
    return answer(request, pools)


def _create(call: Call, name: str | None, settings: Mapping[str, object]) -> ContactList:
    return call.product.lists.create(
        call.account.id, _name(name), settings=settings, login_id=None if call.login.all_lists else call.login.id
    )


def _name(name: str | None) -> str:
    name = (name or "").strip()
    if not name:
        raise InvalidError("ListName is missing.")
    return name


def _settings(
    asked: op.CreateContactList | t.WSList | t.WSUpdateContactList, bounce_handling: int, pool: t.WSVmta | None = None
) -> dict[str, object]:
    """Return the settings that an object or a call asks for. Raises InvalidError (lk-37 to lk-40)."""
    if bounce_handling not in (0, 1, 2):
        raise InvalidError(f"BounceHandling is 0, 1 or 2, not {bounce_handling}.")
    pool_id = getattr(asked, "VmtaID", 0) or (pool.VmtaID if pool else 0)
    if pool_id and pool_id not in POOLS:
        raise InvalidError(f"There is no sending pool {pool_id}.")
    if asked.BounceUnsubscribeCount < 0:
        raise InvalidError("BounceUnsubscribeCount is negative.")
    if asked.FromEmail and not is_mailbox(asked.FromEmail):
        raise InvalidError("FromEmail is not an e-mail address.")
    settings: dict[str, object] = {
        "from_name": asked.FromName or "",
        "from_address": asked.FromEmail or "",
        "bounce_handling": bounce_handling,
        "bounce_limit": asked.BounceUnsubscribeCount,
        "pool": pool_id or DEFAULT_POOL,
        "link_domain": asked.DomainAliasLink or "",
        "mail_domain": asked.DomainAliasEmail or "",
    }
    return settings | {name: getattr(asked, member) for member, name in SWITCHES.items() if hasattr(asked, member)}


def _domains(given: Sequence[str | None] | None) -> list[str]:
    """Return names of domains as they are kept: lower case, each once (lk-42)."""
    return sorted({domain.strip().lower() for domain in given or () if domain and domain.strip()})


def _change_domains(call: Call, list_id: int, change: Callable[[set[str]], set[str]]) -> bool:
    found = call.find_list(list_id)
    if found is None:
        return False
    if change(held := set(found.settings.get("tracking_domains", []))) == held:
        return True

    def changed(settings: Mapping[str, object]) -> dict[str, object]:
        there = settings.get("tracking_domains", [])
        assert isinstance(there, list)  # noqa: S101 - nothing else is stored
        return {"tracking_domains": sorted(change(set(there)))}

    call.product.lists.change(call.account.id, found.id, settings=changed, login_id=call.login.id)
    return True


def _wire_update(found: ContactList) -> t.WSUpdateContactList:
    settings = found.settings
    return t.WSUpdateContactList(
        ListID=found.id,
        ListName=found.name,
        FromName=found.from_name,
        FromEmail=found.from_address,
        BounceHandling=list(t.BounceHandlingSettings)[int(settings.get("bounce_handling", 1))],
        VmtaID=int(settings.get("pool", DEFAULT_POOL)),
        BounceUnsubscribeCount=settings.get("bounce_limit", 0),
        DomainAliasLink=settings.get("link_domain", ""),
        DomainAliasEmail=settings.get("mail_domain", ""),
        DefaultMerchantID=settings.get("merchant", 0),
        **{member: bool(settings.get(name)) for member, name in SWITCHES.items()},
    )


def _wire(call: Call, found: ContactList) -> t.WSContactList:
    settings = found.settings
    pool = int(settings.get("pool", DEFAULT_POOL))
    return t.WSContactList(
        ListID=found.id,
        ListName=found.name,
        CreateDate=call.wall_clock(found.created_at),
        FromName=found.from_name,
        FromEmail=found.from_address,
        bounceHandling=settings.get("bounce_handling", 1),
        Vmta=t.WSVmta(VmtaID=pool, Description=POOLS[pool]),
        BounceUnsubscribeCount=settings.get("bounce_limit", 0),
        DomainAliasLink=settings.get("link_domain", ""),
        DomainAliasEmail=settings.get("mail_domain", ""),
        GoogleTrackingDomains=list(settings.get("tracking_domains", [])),
        **{member: bool(settings.get(name)) for member, name in SWITCHES.items()},
    )
