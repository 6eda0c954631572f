"""The tables of the product.

Rows carry their account, so that a database can be split by account later; docs/scale.md names the tables without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    TEXT,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.sql.schema import SchemaItem

from soapstone.store.documents import Document
from soapstone.store.person_fields import PERSON_FIELDS as PERSON_FIELDS
from soapstone.store.timestamps import Instant
from soapstone.vocabulary.contacts import ContactEventKind, Identifier, MembershipState, OptOutKind, SuppressionKind
from soapstone.vocabulary.deliveries import DeliveryState
from soapstone.vocabulary.jobs import ENDED, JobState
from soapstone.vocabulary.labelled import Labelled
from soapstone.vocabulary.messages import MessageKind
from soapstone.vocabulary.tracking import BounceClass, IncomingKind, IncomingOutcome, MailEventKind, TrackingMode

# SQLite numbers rows by itself only in a column declared exactly INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
# Lookup keys use byte-order collation on both databases, so that prefix searches can use the index, and an import walks
# it from end to end.
Key = Text().with_variant(TEXT(collation="C"), "postgresql")

# Figures that are kept of a send, and of a link in a send. Openers, readers and clickers are mails that were opened,
# read and clicked at least once, repeat clickers those that were clicked at least twice. Erased departures are people
# who left because of the message and were erased since.
SEND_FIGURES = (
    "sent",
    "bounced",
    "opens",
    "openers",
    "readers",
    "clicks",
    "clickers",
    "repeat_clickers",
    "complaints",
    "machine_opens",
    "machine_clicks",
    "erased_departures",
)
LINK_FIGURES = ("clicks", "clickers", "machine_clicks")

# Migrations create the tables. The condition of an index is given for SQLite alone: PostgreSQL's is the same, and its
# option would load PostgreSQL's drivers in every server.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _account(index: bool = False) -> Column[int]:
    return Column("account_id", Id, ForeignKey("account.id"), nullable=False, index=index)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=text(f"'{default}'"))


def _key(name: str) -> Column[str]:
    return Column(name, Key, nullable=False, server_default=text("''"))


def _flag(name: str, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _document(name: str) -> Column[Any]:
    return Column(name, Document, nullable=False, server_default=text("'{}'"))


def _one_of(column: str, terms: Iterable[Labelled]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN {tuple(term.value for term in terms)!r}", name=column)


def _table(name: str, *items: SchemaItem, **options: Any) -> Table:
    # AUTOINCREMENT: a number is never reused, not even after a delete.
    return Table(name, metadata, *items, sqlite_autoincrement=True, **options)


accounts = _table(
    "account",
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("parent_id", Id, ForeignKey("account.id")),
    Column("identifier", Text, nullable=False, server_default=text("'email'")),
    Column("time_zone", Text, nullable=False),
    # The last 32-bit contact number given out in this account (lk-35).
    _count("last_number"),
    Column("created_at", Instant, nullable=False),
    # The meaning of an unsubscribe here (`UnsubscribeType`, mm-120).
    _text("unsubscribe_type", "all"),
    # The account's own names of contact fields, column → label.
    _document("field_labels"),
    # How much is recorded of its mails' recipients.
    _text("tracking", TrackingMode.FULL),
    _one_of("identifier", Identifier),
)

allowed_addresses = _table(
    "allowed_address",
    _id(),
    _account(index=True),
    Column("network", Text, nullable=False),
)

logins = _table(
    "login",
    _id(),
    _account(index=True),
    Column("name", Text, nullable=False),
    # The comparable form: login names ignore case.
    Column("name_key", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    _flag("may_call_api", True),
    _flag("may_see_analytics", True),
    _flag("may_use_console", True),
    _flag("may_choose_numbers"),
    _flag("all_lists", True),
    # Its password is published: only this machine may use it.
    _flag("is_demo"),
    Column("created_at", Instant, nullable=False),
    # A disabled login may do nothing. The row of a deleted one, also disabled, stays because other rows refer to it.
    Column("disabled_at", Instant),
    Column("deleted_at", Instant),
)

granted_lists = Table(
    "granted_list",
    metadata,
    Column("login_id", Id, ForeignKey("login.id"), primary_key=True),
    Column("list_id", Id, ForeignKey("list.id"), primary_key=True),
)

logon_failures = _table(
    "logon_failure",
    _id(),
    # A keyed digest of what is counted: a name, an address, or a login at an address that it is known at (lk-13).
    Column("count_key", Text, nullable=False, index=True),
    Column("failed_at", Instant, nullable=False, index=True),
)

login_addresses = Table(
    "login_address",
    metadata,
    Column("login_id", Id, ForeignKey("login.id", ondelete="CASCADE"), primary_key=True),
    # A keyed digest of login and address.
    Column("address_key", Text, primary_key=True),
    Column("last_used_at", Instant, nullable=False),
)

# The audit trail. `login_id` is NULL for the command line.
audit_entries = _table(
    "audit_entry",
    _id(),
    _account(),
    Column("login_id", Id, ForeignKey("login.id")),
    _text("login_name"),
    Column("action", Text, nullable=False),
    _text("detail"),
    _text("address"),
    Column("at", Instant, nullable=False, index=True),
    Index("ix_audit_entry_account_id_id", "account_id", "id"),
    Index("ix_audit_entry_login_id_action_at", "login_id", "action", "at"),
)

sessions = _table(
    "session",
    _id(),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("login_id", Id, ForeignKey("login.id"), nullable=False, index=True),
    Column("purpose", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
)

lists = _table(
    "list",
    _id(),
    _account(index=True),
    Column("name", Text, nullable=False),
    _document("settings"),
    _flag("visible", True),
    _flag("on_subscription_page"),
    # Stored counts of all members, and of the subscribed ones.
    _count("members"),
    _count("subscribed"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
    Column("updated_by", Id),
    Column("deleted_at", Instant),
    Column("category_id", Id),
    # One of TrackingMode; empty for that of the account.
    _text("tracking"),
)

# PostgreSQL has no foreign keys of these columns: it looks up each row's parent by a trigger, which took half of the
# time of an import. `soapstone db check --references` proves them.
WITHOUT_KEYS = {
    "contact": ("account_id",),
    "membership": ("list_id", "contact_id", "account_id"),
    "contact_event": ("account_id", "contact_id"),
    "mail_event": ("message_id", "account_id"),
    "delivery_activity": ("delivery_id", "account_id"),
}

contacts = _table(
    "contact",
    _id(),
    _account(),
    _text("email"),
    # The comparable form of the address: see soapstone.addresses.address_key (mm-54, lk-64).
    _key("email_key"),
    # The same again in accounts identified by address, NULL elsewhere: unique only where the account says so (mm-53).
    Column("unique_email", Key),
    # The oldest contact of the mailbox, which has its unique_email; NULL except for duplicates in accounts identified
    # by address, made by an earlier version, which compared addresses in lower case only.
    Column("double_of", Id),
    _key("custom_id"),
    *(_text(name) for name in PERSON_FIELDS),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    _flag("text_only"),
    # Time of the unsubscribe from everything (mm-120); lists joined later stay unsubscribed.
    Column("unsubscribed_at", Instant),
    # The shut channels, in this order and separated by a space: email fax sms (mm-124), and the time of the first one.
    _text("channels_shut"),
    Column("suppressed_at", Instant),
    UniqueConstraint("account_id", "unique_email"),
    # All contacts of an account by number, page by page.
    Index("ix_contact_account_id_id", "account_id", "id"),
    Index(
        "ix_contact_account_id_email_key",
        "account_id",
        "email_key",
        sqlite_where=text("unique_email IS NULL"),
    ),
    Index(
        "ix_contact_account_id_double_of",
        "account_id",
        "double_of",
        sqlite_where=text("double_of IS NOT NULL"),
    ),
    Index(
        "ix_contact_account_id_custom_id",
        "account_id",
        "custom_id",
        sqlite_where=text("custom_id <> ''"),
    ),
)

memberships = Table(
    "membership",
    metadata,
    Column("list_id", Id, ForeignKey("list.id"), primary_key=True),
    Column("contact_id", Id, ForeignKey("contact.id"), primary_key=True),
    _account(),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    _text("added_by"),
    Column("removed_at", Instant),
    _text("removed_by"),
    # The import that created the row, or the last one with "replace" that matched it: members that "replace" keeps.
    Column("last_job", Id),
    _document("profile"),
    # Content blocks of the profile that the contact may have written: text, not HTML, while unchanged.
    Column("form_values", Document),
    Index("ix_membership_contact_id", "contact_id"),
    # Members that left a list, by date; others are not in it, so joining costs nothing here.
    Index(
        "ix_membership_list_id_removed_at",
        "list_id",
        "removed_at",
        "contact_id",
        sqlite_where=text("removed_at IS NOT NULL"),
    ),
    _one_of("state", MembershipState),
    sqlite_with_rowid=False,
)

profile_headers = _table(
    "profile_header",
    _id(),
    _account(),
    Column("list_id", Id, ForeignKey("list.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
)

profile_attributes = _table(
    "profile_attribute",
    _id(),
    _account(),
    Column("list_id", Id, ForeignKey("list.id"), nullable=False, index=True),
    Column("header_id", Id, ForeignKey("profile_header.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("max_length", Integer, nullable=False, server_default=text("0")),
)

# Addresses without mail: kind "suppressed" or "banned", of the whole account (list_id 0) or of one list (lk-118).
suppressions = _table(
    "suppression",
    _id(),
    _account(),
    Column("list_id", Id, nullable=False, server_default=text("0")),
    Column("kind", Text, nullable=False),
    Column("email_key", Key, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("account_id", "email_key", "kind", "list_id"),
    _one_of("kind", SuppressionKind),
)

# Addresses that files must not bring back: keyed hashes of deleted contacts' (soapstone.contacts.erased_addresses).
erased_addresses = Table(
    "erased_address",
    metadata,
    Column("account_id", Id, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("address_hash", Text, primary_key=True),
    Column("erased_at", Instant, nullable=False),
)

# Events of single contacts, each row in the transaction of its change, so that one contact's events are numbered in
# their order. Imports write only those that end a subscription: see their outcomes for the rest.
contact_events = _table(
    "contact_event",
    _id(),
    _account(),
    Column("contact_id", Id, ForeignKey("contact.id"), nullable=False),
    # NULL if it concerns no single list.
    Column("list_id", Id),
    Column("kind", Text, nullable=False),
    Column("at", Instant, nullable=False),
    _text("by"),
    # The reported cause of an unsubscribe.
    Column("message_id", Id),
    Column("message_category_id", Id),
    Column("list_category_id", Id),
    # The external event that was raised.
    Column("external_event_id", Id),
    # The event that caused this one: an unsubscribe from everything ends the subscriptions of many lists.
    Column("part_of", Id),
    _document("detail"),
    _one_of("kind", ContactEventKind),
    Index("ix_contact_event_contact_id_id", "contact_id", "id"),
    Index("ix_contact_event_account_id_kind_at", "account_id", "kind", "at"),
    # Who left because of a message.
    Index(
        "ix_contact_event_message_id",
        "message_id",
        "kind",
        "id",
        sqlite_where=text("message_id IS NOT NULL"),
    ),
)

# Opt-outs of categories of messages and of lists (mm-120), and of lists that the contact left (mm-80). An unsubscribe
# from everything is contact.unsubscribed_at; an unsubscribed member of a list has that as the membership's state.
opt_outs = Table(
    "opt_out",
    metadata,
    Column("contact_id", Id, ForeignKey("contact.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    # The number of the list or of the category.
    Column("target_id", Id, primary_key=True, autoincrement=False),
    _account(),
    Column("created_at", Instant, nullable=False),
    _one_of("kind", OptOutKind),
    sqlite_with_rowid=False,
)

list_categories = _table(
    "list_category",
    _id(),
    _account(index=True),
    Column("name", Text, nullable=False),
    Column("login_id", Id),
    _flag("active", True),
    Column("created_at", Instant, nullable=False),
)

message_categories = _table(
    "message_category",
    _id(),
    _account(index=True),
    Column("name", Text, nullable=False),
    Column("login_id", Id),
    Column("created_at", Instant, nullable=False),
)

# Example values by column of the contact, as in a search for recipients (mm-79, mm-84).
saved_searches = _table(
    "saved_search",
    _id(),
    _account(),
    Column("name", Text, nullable=False),
    Column("login_id", Id),
    _document("criteria"),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("account_id", "name"),
)

# Events that calls and imports can raise for a contact (lk-120, lk-123).
external_events = _table(
    "external_event",
    _id(),
    _account(),
    Column("list_id", Id, ForeignKey("list.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    _flag("active", True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

campaigns = _table(
    "campaign",
    _id(),
    _account(),
    Column("list_id", Id, ForeignKey("list.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# Addresses that get the review copies of a list's messages (lk-97).
review_addresses = _table(
    "review_address",
    _id(),
    _account(),
    Column("list_id", Id, ForeignKey("list.id"), nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Key, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("list_id", "email_key"),
)

# Mappings from objects of other systems to objects of the account (mm-129).
object_mappings = _table(
    "object_mapping",
    _id(),
    _account(index=True),
    Column("object_type", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("own_type", Text, nullable=False),
    Column("own_id", Id, nullable=False),
    _text("own_name"),
    Column("login_id", Id),
    Column("created_at", Instant, nullable=False),
)

# Occasions and their sign-ups (mm-127).
occasions = _table(
    "occasion",
    _id(),
    _account(index=True),
    Column("name", Text, nullable=False),
    _flag("open", True),
    Column("created_at", Instant, nullable=False),
)

sign_ups = _table(
    "sign_up",
    _id(),
    _account(),
    Column("occasion_id", Id, ForeignKey("occasion.id"), nullable=False, index=True),
    # Registrants of one call have the number of its first row.
    Column("call_id", Id),
    Column("email", Text, nullable=False),
    _text("first_name"),
    _text("last_name"),
    # The caller's own name for the registrant.
    _text("reference"),
    _flag("live", True),
    _document("answers"),
    Column("created_at", Instant, nullable=False),
)

# Numbers chosen for rows of the table `kind`, because old programs contain them. They stay when the row is deleted: no
# number is given twice, and sequences skip these.
chosen_numbers = Table(
    "chosen_number",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("number", Id, primary_key=True, autoincrement=False),
    _account(),
    Column("created_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

api_tokens = _table(
    "api_token",
    _id(),
    _account(),
    Column("login_id", Id, ForeignKey("login.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
)

# Answers to requests with an idempotency key: the same request again gets the same answer.
idempotent_answers = _table(
    "idempotent_answer",
    _id(),
    _account(),
    Column("login_id", Id, ForeignKey("login.id"), nullable=False),
    Column("key", Text, nullable=False),
    # Digest of method, path and body: another request under the same key is refused.
    Column("request_hash", Text, nullable=False),
    # NULL while the request is being answered.
    Column("status", Integer),
    Column("answer", Text),
    Column("created_at", Instant, nullable=False, index=True),
    UniqueConstraint("login_id", "key"),
)

# Secrets of the installation, such as the key that signs links.
secrets = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Keys that sign links: the installation's secret with this salt, or the secret itself without one. Each signs only
# deliveries and contacts of its numbers; the newest has no last one. A restore begins a new key.
link_keys = Table(
    "link_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("salt"),
    Column("first_delivery", BigInteger, nullable=False),
    Column("last_delivery", BigInteger),
    Column("first_contact", BigInteger, nullable=False),
    Column("last_contact", BigInteger),
    Column("created_at", Instant, nullable=False),
)

jobs = _table(
    "job",
    _id(),
    _account(),
    Column("login_id", Id, ForeignKey("login.id")),
    Column("kind", Text, nullable=False),
    Column("list_id", Id, ForeignKey("list.id")),
    Column("state", Text, nullable=False, server_default=text("'queued'")),
    Column("step", Integer, nullable=False, server_default=text("0")),
    Column("steps", Integer, nullable=False, server_default=text("1")),
    # The request; the progress; the counts so far.
    _document("request"),
    _document("checkpoint"),
    _document("counters"),
    # The blob with the input, if any, its size in bytes and the user's name of it.
    Column("blob", Text),
    _count("blob_size"),
    _text("label"),
    Column("submitted_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    # Fence: every transaction of a run names the attempt it belongs to.
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    # Attempts in a row whose worker crashed before they made progress.
    Column("deaths", Integer, nullable=False, server_default=text("0")),
    Column("lease_until", Instant),
    _text("worker"),
    _flag("cancel_asked"),
    # A paused job is not claimed. One that releases its list neither waits for other jobs of the list nor blocks them.
    _flag("paused"),
    _flag("passes"),
    _text("error"),
    _one_of("state", JobState),
    CheckConstraint("step >= 0 AND step <= steps", name="step"),
    CheckConstraint(f"(finished_at IS NOT NULL) = ({_one_of('state', ENDED).sqltext})", name="finished"),
    Index("ix_job_account_id_kind_list_id", "account_id", "kind", "list_id"),
    # Claiming prefers the account that was served longest ago.
    Index("ix_job_account_id_started_at", "account_id", "started_at"),
    # Claiming reads only jobs that are not over.
    Index(
        "ix_job_open",
        "state",
        "list_id",
        sqlite_where=text("finished_at IS NULL"),
    ),
)

# Written by triggers: one row for each change of state, step or attempt.
job_events = _table(
    "job_event",
    _id(),
    Column("job_id", Id, ForeignKey("job.id"), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Instant, nullable=False),
)

# Rejected rows of an input file: physical line (from 1), reason code and the unchanged fields.
rejected_rows = Table(
    "rejected_row",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True),
    Column("line", BigInteger, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("fields", Document, nullable=False),
    sqlite_with_rowid=False,
)

# Outcomes of one chunk of an import: rows per outcome, and packed (soapstone.imports.parts) the physical line, outcome
# and contact (0 for none) of each row.
import_parts = Table(
    "import_part",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True),
    Column("first_row", BigInteger, primary_key=True),
    Column("rows", Integer, nullable=False),
    _document("counts"),
    Column("lines", LargeBinary, nullable=False),
    Column("outcomes", LargeBinary, nullable=False),
    Column("contact_ids", LargeBinary, nullable=False),
)

# Numbers of memberships that an import has taken from its account for a chunk that is not committed yet, `numbers` of
# them from `first` on. Imports of one account take theirs without waiting for each other (PostgreSQL only).
taken_numbers = Table(
    "taken_number",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("numbers", BigInteger, nullable=False),
)

messages = _table(
    "message",
    _id(),
    _account(index=True),
    # NULL for a message of the whole account (mm-96).
    Column("list_id", Id, ForeignKey("list.id"), index=True),
    # A message of kind "send" belongs to one send; the others can be used by any.
    Column("kind", Text, nullable=False),
    _text("name"),
    # The comparable form of the name if it must be unique in the account, else NULL (mm-96).
    Column("unique_name", Key),
    # The token of links to the message, because its number could be guessed (lk-104).
    Column("public_id", Text, nullable=False, unique=True),
    _text("subject"),
    _text("from_name"),
    _text("from_address"),
    _text("reply_address"),
    _text("to_name"),
    _text("html"),
    _text("plain"),
    # "utf-8" or "iso-8859-1" (lk-105, mm-95).
    _text("charset", "utf-8"),
    Column("campaign_id", Id),
    Column("category_id", Id),
    _flag("archived"),
    _flag("hidden"),
    # Whether the author's text already had our links (mm-99).
    _flag("has_own_links"),
    # Data of a contract that nothing else uses: single HTML blocks, fax documents (mm-98).
    _document("extras"),
    Column("login_id", Id),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_message_account_id_unique_name", "account_id", "unique_name", unique=True),
    _one_of("kind", MessageKind),
)

# One row per send: its job, message and purpose (`Purpose`).
sends = Table(
    "send",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True, autoincrement=False),
    _account(),
    Column("message_id", Id, ForeignKey("message.id"), nullable=False, index=True),
    # The stored message of which this one is a copy.
    Column("source_id", Id, index=True),
    Column("list_id", Id),
    Column("purpose", Text, nullable=False),
    # Test mails count in no figure (mm-108).
    _flag("is_test"),
    Index("ix_send_account_id_list_id", "account_id", "list_id"),
)

# The ledger of a send: one row per recipient.
deliveries = _table(
    "delivery",
    _id(),
    _account(),
    Column("job_id", Id, ForeignKey("job.id"), nullable=False),
    Column("message_id", Id, ForeignKey("message.id"), nullable=False),
    Column("contact_id", Id),
    Column("email", Text, nullable=False),
    Column("email_key", Key, nullable=False),
    # The recipient's own merge values: the columns of a supplied file.
    _document("fields"),
    Column("state", Text, nullable=False),
    # The skip reason.
    _text("reason"),
    Column("handed_at", Instant),
    # SMTP attempts, those of them with an unknown outcome, and the server's last reply.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("doubts", Integer, nullable=False, server_default=text("0")),
    _text("reply"),
    # The time of the next attempt, or while sending the start of this one; else NULL.
    Column("next_try_at", Instant),
    _flag("is_test"),
    _one_of("state", DeliveryState),
    Index("ix_delivery_job_id_email_key", "job_id", "email_key"),
    Index("ix_delivery_message_id_email_key", "message_id", "email_key"),
    Index("ix_delivery_contact_id", "contact_id"),
    Index(
        "ix_delivery_due",
        "job_id",
        "next_try_at",
        sqlite_where=text("next_try_at IS NOT NULL"),
    ),
)

# The links of sent messages that lead through this server; a row is never deleted, because mails that are out name it
# by message and position.
tracked_links = _table(
    "tracked_link",
    _id(),
    _account(),
    Column("message_id", Id, ForeignKey("message.id"), nullable=False),
    # From 1, in the order of the HTML text, then of the plain text.
    Column("position", Integer, nullable=False),
    # "html" or "plain".
    Column("body", Text, nullable=False),
    # The author's URL, with its merge fields; `target` has the analytics parameters, too.
    Column("url", Text, nullable=False),
    Column("target", Text, nullable=False),
    _text("label"),
    _text("description"),
    _flag("is_dynamic"),
    UniqueConstraint("message_id", "position"),
)

# What became of mails, in the order in which it was recorded. Each kind is numbered without gaps within its message
# (test mails apart), so that any page of a report is one range of keys. Dates ascend with the numbers.
mail_events = Table(
    "mail_event",
    metadata,
    Column("message_id", Id, ForeignKey("message.id"), primary_key=True, autoincrement=False),
    Column("is_test", Boolean, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", Id, primary_key=True, autoincrement=False),
    _account(),
    Column("at", Instant, nullable=False),
    Column("job_id", Id, nullable=False),
    # NULL if the list's mails are tracked without persons.
    Column("delivery_id", Id),
    # The number within the account; NULL for test mails and for mails to addresses that are no contacts.
    Column("account_number", Id),
    # When the same mail had such an event before, and the number among first events, if this is one.
    Column("previous_at", Instant),
    Column("first_number", Id),
    # The link of a click, and the number of the click among those of the link.
    Column("link_id", Id),
    Column("link_number", Id),
    _one_of("kind", MailEventKind),
    # The last two of these have their condition on PostgreSQL, too, by the migration alone: to name it here would load
    # its dialect at each start.
    Index(
        "ix_mail_event_account_id_kind",
        "account_id",
        "kind",
        "account_number",
        unique=True,
        sqlite_where=text("account_number IS NOT NULL"),
    ),
    Index(
        "ix_mail_event_first_number",
        "message_id",
        "is_test",
        "kind",
        "first_number",
        unique=True,
        sqlite_where=text("first_number IS NOT NULL"),
    ),
    Index(
        "ix_mail_event_link_id",
        "link_id",
        "is_test",
        "kind",
        "link_number",
        unique=True,
        sqlite_where=text("link_number IS NOT NULL"),
    ),
    Index("ix_mail_event_delivery_id", "delivery_id", "kind"),
    sqlite_with_rowid=False,
)

# The last numbers and dates of `mail_event`: `scope` is "message", "test", "account", "link" or "test link", `kind` the
# event's kind, or "first …".
event_counters = Table(
    "event_counter",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("scope_id", Id, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("last_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# What recipients did with their mails so far; a mail without any activity has no row.
delivery_activities = Table(
    "delivery_activity",
    metadata,
    Column("delivery_id", Id, ForeignKey("delivery.id"), primary_key=True, autoincrement=False),
    _account(),
    Column("opened_at", Instant),
    Column("last_opened_at", Instant),
    Column("read_at", Instant),
    Column("last_read_at", Instant),
    Column("clicked_at", Instant),
    Column("last_clicked_at", Instant),
    _count("opens"),
    _count("clicks"),
)

# The bounce of a mail: the first one, if the mail came back more than once.
bounces = Table(
    "bounce",
    metadata,
    Column("delivery_id", Id, ForeignKey("delivery.id"), primary_key=True, autoincrement=False),
    _account(),
    Column("at", Instant, nullable=False),
    Column("class", Text, nullable=False),
    # The reason by the name that the Listrak contract gives it (lk-111).
    _text("reason"),
    # The enhanced status code or the reply code, and the server's words.
    _text("code"),
    _text("detail"),
    # Bounces of this contact on this list, this one included.
    Column("contact_bounces", Integer, nullable=False, server_default=text("1")),
    _one_of("class", BounceClass),
)

# Mails that came in about mails that went out, each once, whichever way and how often it came.
incoming_mails = _table(
    "incoming_mail",
    _id(),
    # Of the stem that it was taken for, and of its Message-ID or content.
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("received_at", Instant, nullable=False),
    # The way in: "lmtp", "smtp", "pipe", "rest" or the name of a relay.
    _text("source"),
    # The account that it is about, or that handed it over; and the mail that it is about, if its signature is valid.
    Column("account_id", Id, ForeignKey("account.id")),
    Column("delivery_id", Id),
    Column("kind", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    # What it says: address, code, and the server's words or the feedback type.
    _text("address"),
    _text("code"),
    _text("detail"),
    # The beginning of the mail, packed by zlib; NULL for what was recorded, and after some time.
    Column("content", LargeBinary),
    _one_of("kind", IncomingKind),
    _one_of("outcome", IncomingOutcome),
    Index("ix_incoming_mail_delivery_id", "delivery_id", sqlite_where=text("delivery_id IS NOT NULL")),
    Index("ix_incoming_mail_outcome", "outcome", "received_at"),
)

# Figures of each send.
send_figures = Table(
    "send_figure",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True, autoincrement=False),
    _account(),
    *(_count(name) for name in SEND_FIGURES),
)

# Figures of each link in each send.
link_figures = Table(
    "link_figure",
    metadata,
    Column("link_id", Id, ForeignKey("tracked_link.id"), primary_key=True, autoincrement=False),
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True, autoincrement=False),
    _account(),
    *(_count(name) for name in LINK_FIGURES),
)

# How far the recorder has read each segment of each process's spool.
spool_positions = Table(
    "spool_position",
    metadata,
    Column("spool", Text, primary_key=True),
    Column("segment", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

# Heartbeats of workers. A worker deletes its row when it ends.
workers = Table(
    "worker",
    metadata,
    Column("name", Text, primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("beat_at", Instant, nullable=False),
)
