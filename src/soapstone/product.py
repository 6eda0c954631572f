"""The product: all services on one set of records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from soapstone.accounts.account import Accounts
from soapstone.accounts.logon import Logons
from soapstone.accounts.sessions import Sessions
from soapstone.imports.initial_queue import InitialQueue
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import Lists
from soapstone.loopback import is_loopback
from soapstone.settings import Settings, UnusableSetting
from soapstone.store.blobs import Blobs, Upload
from soapstone.store.database import Database
from soapstone.store.transient_errors import RecordsUnavailable as RecordsUnavailable
from soapstone.vocabulary.contacts import OptOutKind

if TYPE_CHECKING:
    from soapstone.accounts.audit import Audit
    from soapstone.accounts.idempotency_keys import IdempotencyKeys
    from soapstone.accounts.link_keys import LinkKeys
    from soapstone.accounts.object_mappings import Mappings
    from soapstone.accounts.tokens import Tokens
    from soapstone.contacts.channels import Channels
    from soapstone.contacts.complaints import Complaints
    from soapstone.contacts.contact_tokens import ContactTokens
    from soapstone.contacts.contacts import Contacts
    from soapstone.contacts.duplicates import Duplicates
    from soapstone.contacts.event_sign_ups import EventSignUps
    from soapstone.contacts.history import History
    from soapstone.contacts.members import Members
    from soapstone.contacts.removals import Removals
    from soapstone.contacts.saved_searches import SavedSearches
    from soapstone.contacts.search import Search
    from soapstone.contacts.subscriptions import Subscriptions
    from soapstone.contacts.suppressions import Suppressions
    from soapstone.contacts.transfers import Transfers
    from soapstone.contacts.unsubscribes import Unsubscribes
    from soapstone.imports.attribute_update import AttributeUpdates
    from soapstone.imports.imports import Imports
    from soapstone.imports.initial_queue import InitialQueue
    from soapstone.lists.campaigns import Campaigns
    from soapstone.lists.categories import Categories
    from soapstone.lists.external_events import ExternalEvents
    from soapstone.lists.profiles import Profiles
    from soapstone.lists.review_groups import ReviewGroups
    from soapstone.personal_data.dossier import Dossiers
    from soapstone.personal_data.erasure import Erasure
    from soapstone.sending.confirmations import Invitations
    from soapstone.sending.folder.mail_store import MailStore
    from soapstone.sending.link_actions import LinkActions
    from soapstone.sending.mail.sample import Samples
    from soapstone.sending.mail.spamd import SpamScanner
    from soapstone.sending.messages.messages import Messages
    from soapstone.sending.messages.preview import Previews
    from soapstone.sending.past_sends import PastSends
    from soapstone.sending.reports import SendReports
    from soapstone.sending.sends import Sends
    from soapstone.sending.signed_links import Links
    from soapstone.store.bucket import Bucket
    from soapstone.store.page_marks import PageMarks, RowCounts
    from soapstone.tracking.contact_messages import ContactMessages
    from soapstone.tracking.event_feed import EventFeed
    from soapstone.tracking.incoming_mails import IncomingMails
    from soapstone.tracking.incoming_records import IncomingRecords
    from soapstone.tracking.message_figures import MessageFigures
    from soapstone.tracking.message_unsubscribes import MessageUnsubscribes
    from soapstone.tracking.relays import Relay
    from soapstone.tracking.reports import EventReports
    from soapstone.tracking.stems import Stems


class _Room:
    """A service that is imported and opened on first use.

    A server answers its first calls without most of them.
    """

    def __init__(self, module: str, parts: Callable[[Product], tuple[object, ...]]) -> None:
        self._module = module
        self._parts = parts

    def __set_name__(self, owner: type[Product], name: str) -> None:
        self._name = name

    def __get__(self, product: Product, owner: type[Product]) -> Any:
        with product.opening:
            if self._name not in vars(product):
                make = getattr(import_module(f"soapstone.{self._module}"), owner.__annotations__[self._name])
                vars(product)[self._name] = make(*self._parts(product))
        return vars(product)[self._name]


def _room(module: str, parts: Callable[[Product], tuple[object, ...]] = lambda its: (its.database,)) -> Any:
    return _Room(module, parts)


class Product:
    """The services that contracts, console and command line call."""

    settings: Settings
    database: Database
    blobs: Blobs
    jobs: Jobs

    tokens: Tokens = _room("accounts.tokens")
    audit: Audit = _room("accounts.audit")
    idempotency_keys: IdempotencyKeys = _room("accounts.idempotency_keys")
    members: Members = _room("contacts.members")
    page_marks: PageMarks = _room("store.page_marks", lambda _: ())
    row_counts: RowCounts = _room("store.page_marks", lambda _: ())
    profiles: Profiles = _room("lists.profiles")
    list_categories: Categories = _room("lists.categories", lambda its: (its.database, OptOutKind.LIST_CATEGORY))
    message_categories: Categories = _room("lists.categories", lambda its: (its.database, OptOutKind.MESSAGE_CATEGORY))
    channels: Channels = _room("contacts.channels")
    history: History = _room("contacts.history")
    mappings: Mappings = _room("accounts.object_mappings")
    event_sign_ups: EventSignUps = _room("contacts.event_sign_ups")
    contacts: Contacts = _room("contacts.contacts")
    saved_searches: SavedSearches = _room("contacts.saved_searches")
    search: Search = _room("contacts.search")
    unsubscribes: Unsubscribes = _room("contacts.unsubscribes")
    transfers: Transfers = _room("contacts.transfers")
    external_events: ExternalEvents = _room("lists.external_events")
    campaigns: Campaigns = _room("lists.campaigns")
    review_groups: ReviewGroups = _room("lists.review_groups")
    complaints: Complaints = _room("contacts.complaints")
    removals: Removals = _room("contacts.removals")
    duplicates: Duplicates = _room("contacts.duplicates")
    suppressions: Suppressions = _room("contacts.suppressions")
    erasure: Erasure = _room(
        "personal_data.erasure", lambda its: (its.database, its.blobs, its.mails, its.settings.drafts)
    )
    dossiers: Dossiers = _room("personal_data.dossier", lambda its: (its.database, its.mails, its.settings.drafts))
    imports: Imports = _room("imports.imports", lambda its: (its.database, its.blobs, its.jobs))
    attribute_updates: AttributeUpdates = _room("imports.attribute_update", lambda its: (its.database, its.jobs))
    initial_queue: InitialQueue = _room("imports.initial_queue", lambda its: (its.database, its.jobs, its.imports))
    messages: Messages = _room("sending.messages.messages")
    sends: Sends = _room(
        "sending.sends", lambda its: (its.database, its.blobs, its.jobs, bool(its.settings.public_url))
    )
    past_sends: PastSends = _room("sending.past_sends", lambda its: (its.database, its.jobs))
    reports: SendReports = _room("sending.reports")
    event_reports: EventReports = _room("tracking.reports")
    event_feed: EventFeed = _room("tracking.event_feed")
    message_figures: MessageFigures = _room("tracking.message_figures")
    message_unsubscribes: MessageUnsubscribes = _room("tracking.message_unsubscribes")
    contact_messages: ContactMessages = _room("tracking.contact_messages")
    stems: Stems = _room("tracking.stems", lambda its: (its.link_keys,))
    invitations: Invitations = _room("sending.confirmations", lambda its: (its.link_keys,))
    contact_tokens: ContactTokens = _room("contacts.contact_tokens", lambda its: (its.link_keys,))
    samples: Samples = _room("sending.mail.sample", lambda its: (its.database, its.links))
    link_actions: LinkActions = _room(
        "sending.link_actions", lambda its: (its.database, lambda: its.links, lambda: its.stems)
    )
    incoming_records: IncomingRecords = _room("tracking.incoming_records")
    incoming_mails: IncomingMails = _room("tracking.incoming_mails", lambda its: (its.database, its.stems))
    previews: Previews = _room("sending.messages.preview", lambda its: (its.database, bool(its.settings.public_url)))

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        # Held while a service is opened: threads share them.
        self.opening = RLock()
        self.bucket = _bucket(settings.blob_url)
        self.blobs = Blobs(settings.blobs) if self.bucket is None else _blobs(settings.blobs, self.bucket)
        self.accounts = Accounts(database)
        self.logons = Logons(
            database,
            failures=settings.lock_failures,
            lock=timedelta(minutes=settings.lock_minutes),
            proxies=settings.trusted_proxies,
        )
        self.sessions = Sessions(database, "magnetmail", timedelta(minutes=settings.session_minutes))
        self.lists = Lists(database)
        self.jobs = Jobs(database)

    @classmethod
    def open(cls, settings: Settings, database: Database) -> Product:
        """Open the product on these records."""
        return cls(settings, database)

    @cached_property
    def mails(self) -> MailStore:
        """The mails that were sent while no SMTP server was configured."""
        from soapstone.sending.folder.mail_store import BucketMailStore, MailStore

        folder = self.settings.mail
        return MailStore(folder) if self.bucket is None else BucketMailStore(folder, self.bucket)

    def subscriptions(self, base: str = "") -> Subscriptions:
        """Return single subscriptions. Links in their mails begin with the public URL of the settings.

        Without it, `base`, the host of the request, is used only if it is this machine: a caller
        that chose another host would choose the target of links in other people's mails.
        """
        from soapstone.contacts.subscriptions import Subscriptions
        from soapstone.sending.confirmations import SubscriptionMails

        known = self.settings.public_url
        if not known and is_loopback((urlsplit(base).hostname or "").lower()):
            known = base
        return Subscriptions(self.database, SubscriptionMails(self.sends, self.invitations, known))

    @cached_property
    def link_keys(self) -> LinkKeys:
        """The keys that sign links and stems."""
        from soapstone.accounts.link_keys import LinkKeys

        return LinkKeys.of(self.database, self.settings.secret_key)

    @cached_property
    def relay(self) -> Relay | None:
        """The configured relay service; None without one."""
        from soapstone.tracking.relays import Relay

        return Relay(self.settings.relay, self.settings.relay_key) if self.settings.relay else None

    @cached_property
    def spam_scanner(self) -> SpamScanner | None:
        """The configured spam scanner; None without one. Raises InvalidError."""
        from soapstone.sending.mail.spamd import SpamScanner

        return SpamScanner(self.settings.spamd_url) if self.settings.spamd_url else None

    @cached_property
    def links(self) -> Links | None:
        """The links of mails; None without a public URL."""
        from soapstone.sending.signed_links import Links

        if not self.settings.public_url:
            return None
        return Links(self.settings.public_url, self.link_keys)


def _bucket(url: str) -> Bucket | None:
    if not url:
        return None
    from soapstone.store.bucket import Bucket

    try:
        return Bucket.of(url)
    except ValueError as trouble:
        raise UnusableSetting(f"SOAPSTONE_BLOB_URL cannot be used: {trouble}.") from None


def _blobs(folder: Path, bucket: Bucket) -> Blobs:
    from soapstone.store.bucket_blobs import BucketBlobs

    return BucketBlobs(folder, bucket)


# The blob behind a spooled member of a request.
ReceivedUpload = Upload


def received(upload: object) -> ReceivedUpload:
    """Return the blob behind an upload of the wire layer, whose endpoints create them by `Blobs.new`."""
    if not isinstance(upload, Upload):
        raise TypeError(f"not an upload of this product: {type(upload).__name__}")
    return upload
