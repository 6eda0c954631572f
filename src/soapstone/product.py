"""The product: every room, opened on one set of records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlsplit

from soapstone.accounts.account import Accounts
from soapstone.accounts.audit import Audit
from soapstone.accounts.idempotency_keys import Answers
from soapstone.accounts.link_keys import LinkKeys
from soapstone.accounts.logon import Logons
from soapstone.accounts.object_mappings import Mappings
from soapstone.accounts.sessions import Sessions
from soapstone.accounts.tokens import Tokens
from soapstone.contacts.channels import Channels
from soapstone.contacts.complaints import Complaints
from soapstone.contacts.contact_tokens import EmailKeys
from soapstone.contacts.contacts import Recipients
from soapstone.contacts.duplicates import Doubles
from soapstone.contacts.event_sign_ups import Occasions
from soapstone.contacts.history import History
from soapstone.contacts.members import Members
from soapstone.contacts.saved_searches import SavedSearches
from soapstone.contacts.search import Search
from soapstone.contacts.subscriptions import Subscriptions
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import Unsubscribes
from soapstone.imports.attribute_update import AttributeUpdates
from soapstone.imports.imports import Imports
from soapstone.imports.initial_queue import Entries
from soapstone.jobs.queue import Jobs
from soapstone.lists.campaigns import Campaigns
from soapstone.lists.categories import Categories
from soapstone.lists.external_events import ExternalEvents
from soapstone.lists.lists import Lists
from soapstone.lists.profiles import Profiles
from soapstone.lists.review_groups import ReviewGroups
from soapstone.personal_data.dossier import Dossiers
from soapstone.personal_data.erasure import Erasure
from soapstone.sending.confirmations import Invitations, SubscriptionLetters
from soapstone.sending.link_actions import Replies
from soapstone.sending.mail.sample import Samples
from soapstone.sending.mail.spamd import SpamScanner
from soapstone.sending.messages.messages import Messages
from soapstone.sending.messages.preview import Previews
from soapstone.sending.reports import SendReports
from soapstone.sending.sends import Sends
from soapstone.sending.signed_links import Links
from soapstone.sending.smtp_address import is_this_machine
from soapstone.settings import Settings
from soapstone.store.blobs import Blobs, Upload
from soapstone.store.database import Database
from soapstone.store.page_marks import Pages
from soapstone.store.transient_errors import RecordsUnavailable as RecordsUnavailable


@dataclass(frozen=True)
class Product:
    """What the contracts, the console and the command line call."""

    settings: Settings
    database: Database
    blobs: Blobs
    accounts: Accounts
    logons: Logons
    sessions: Sessions
    tokens: Tokens
    audit: Audit
    answers: Answers
    lists: Lists
    members: Members
    pages: Pages
    profiles: Profiles
    categories: Categories
    channels: Channels
    history: History
    mappings: Mappings
    occasions: Occasions
    recipients: Recipients
    saved_searches: SavedSearches
    search: Search
    unsubscribes: Unsubscribes
    external_events: ExternalEvents
    campaigns: Campaigns
    review_groups: ReviewGroups
    complaints: Complaints
    doubles: Doubles
    suppressions: Suppressions
    erasure: Erasure
    dossiers: Dossiers
    jobs: Jobs
    imports: Imports
    attribute_updates: AttributeUpdates
    entries: Entries
    messages: Messages
    sends: Sends
    reports: SendReports

    @classmethod
    def open(cls, settings: Settings, database: Database) -> Product:
        """Open all rooms."""
        blobs = Blobs(settings.blobs)
        jobs = Jobs(database)
        imports = Imports(database, blobs, jobs)
        lock = timedelta(minutes=settings.lock_minutes)
        return cls(
            settings=settings,
            database=database,
            blobs=blobs,
            accounts=Accounts(database),
            logons=Logons(database, failures=settings.lock_failures, lock=lock, proxies=settings.trusted_proxies),
            sessions=Sessions(database, "magnetmail", timedelta(minutes=settings.session_minutes)),
            tokens=Tokens(database),
            audit=Audit(database),
            answers=Answers(database),
            lists=Lists(database),
            members=Members(database),
            pages=Pages(),
            profiles=Profiles(database),
            categories=Categories(database),
            channels=Channels(database),
            history=History(database),
            mappings=Mappings(database),
            occasions=Occasions(database),
            recipients=Recipients(database),
            saved_searches=SavedSearches(database),
            search=Search(database),
            unsubscribes=Unsubscribes(database),
            external_events=ExternalEvents(database),
            campaigns=Campaigns(database),
            review_groups=ReviewGroups(database),
            complaints=Complaints(database),
            doubles=Doubles(database),
            suppressions=Suppressions(database),
            erasure=Erasure(database, settings.blobs, settings.mail, settings.drafts),
            dossiers=Dossiers(database, settings.mail, settings.drafts),
            jobs=jobs,
            imports=imports,
            attribute_updates=AttributeUpdates(database, jobs),
            entries=Entries(database, jobs, imports),
            messages=Messages(database),
            sends=Sends(database, blobs, jobs, has_links=bool(settings.public_url)),
            reports=SendReports(database),
        )

    def subscriptions(self, base: str = "") -> Subscriptions:
        """Single subscriptions. Their letters hold links to this server, which people reach at the URL of the settings.

        Without it, `base`, where a request says that it has reached the server, counts on this machine alone: a caller
        that chose any other host would choose where the links of other people's mails lead.
        """
        known = self.settings.public_url
        if not known and is_this_machine((urlsplit(base).hostname or "").lower()):
            known = base
        return Subscriptions(self.database, SubscriptionLetters(self.sends, self.invitations, known))

    @cached_property
    def _keys(self) -> LinkKeys:
        return LinkKeys.of(self.database, self.settings.secret_key)

    @cached_property
    def invitations(self) -> Invitations:
        """The tokens of confirmation links."""
        return Invitations(self._keys)

    @cached_property
    def email_keys(self) -> EmailKeys:
        """The keys of contacts in mailed links."""
        return EmailKeys(self._keys)

    @cached_property
    def spam_scanner(self) -> SpamScanner | None:
        """The spam scanner of the settings; None without one. Raises InvalidError."""
        return SpamScanner(self.settings.spamd_url) if self.settings.spamd_url else None

    @cached_property
    def samples(self) -> Samples:
        """Mails of messages that nobody has sent."""
        return Samples(self.database, self.links)

    @cached_property
    def replies(self) -> Replies:
        """What recipients do with the links of mails."""
        return Replies(self.database, lambda: self.links)

    @cached_property
    def previews(self) -> Previews:
        """Stored messages as recipients would read them."""
        return Previews(self.database, has_links=bool(self.settings.public_url))

    @cached_property
    def links(self) -> Links | None:
        """The links of mails; None while the server does not know the URL at which people reach it."""
        if not self.settings.public_url:
            return None
        return Links(self.settings.public_url, self._keys)


# The blob behind a spooled member of a request.
ReceivedUpload = Upload


def received(upload: object) -> ReceivedUpload:
    """The blob behind an upload that the wire layer took in; the endpoints are given `Blobs.new` to make them."""
    if not isinstance(upload, Upload):
        raise TypeError(f"not an upload of this product: {type(upload).__name__}")
    return upload
