"""Opt-outs: the columns of other products' files that say that a contact gets no mail, and how to read them.

`COLUMNS` is the table: product, heading, values, source. Headings and values compare without letter case, spaces,
underscores, hyphens and dots.

A heading that also means other things ("Status", "State") counts only if the file's values prove it: all of them belong
to one product's column, or one of them can mean nothing else ("unsubscribed").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from soapstone.clock import now
from soapstone.store.timestamps import EPOCH

# A row's statement about its contact. "waiting": has not confirmed the subscription. "left": gets no mail of the list.
# "suppressed": the address must get nothing at all. "unclear": the value is unknown. The later of two counts.
Meaning = Literal["", "waiting", "unclear", "left", "suppressed"]
MEANINGS: tuple[Meaning, ...] = ("", "waiting", "unclear", "left", "suppressed")
STRENGTH: Mapping[Meaning, int] = {meaning: strength for strength, meaning in enumerate(MEANINGS)}
# The meanings that end a subscription, with their rank among the rows of one contact.
OUT: Mapping[Meaning, int] = {"left": 1, "suppressed": 2}

# Values of a column that are remembered with their meaning: most columns have few.
KNOWN_VALUES = 10_000

# The values of a column: words; yes for an opt-out; no for an opt-out; the time of an opt-out.
Form = Literal["words", "flag", "consent", "time"]


@dataclass(frozen=True, kw_only=True)
class OptOutColumn:
    """One column of one product.

    `yes` is the meaning of a set flag, a time, or a denied consent. `words` are the values of a column of words.
    `ambiguous`: the heading also means other things.
    """

    product: str
    headings: tuple[str, ...]
    form: Form
    source: str
    yes: Meaning = "left"
    words: Mapping[str, Meaning] = field(default_factory=dict)
    ambiguous: bool = False


def _words(
    *, subscribed: Iterable[str] = (), waiting: Iterable[str] = (), left: Iterable[str], suppressed: Iterable[str] = ()
) -> dict[str, Meaning]:
    meanings: list[tuple[Iterable[str], Meaning]] = [
        (subscribed, ""),
        (waiting, "waiting"),
        (left, "left"),
        (suppressed, "suppressed"),
    ]
    return {plain(word): meaning for words, meaning in meanings for word in words}


def plain(text: str) -> str:
    """Return the comparable form of a heading or a value."""
    return _JOINTS.sub("", text).lower()


_JOINTS = re.compile(r"[\s_.\-\ufeff\u00a0]+")

COLUMNS = (
    OptOutColumn(
        product="Soapstone",
        headings=("subscription",),
        form="words",
        ambiguous=True,
        words=_words(subscribed=["subscribed"], waiting=["waiting"], left=["unsubscribed"]),
        source="src/soapstone/api/exports.py, docs/rest.md",
    ),
    OptOutColumn(
        product="Soapstone",
        headings=("suppression",),
        form="words",
        words=_words(left=["suppressed on the list"], suppressed=["suppressed", "banned"]),
        source="src/soapstone/api/exports.py, docs/rest.md",
    ),
    OptOutColumn(
        product="listmonk",
        headings=("status",),
        form="words",
        ambiguous=True,
        # "blacklisted" counts as the same.
        words=_words(subscribed=["enabled"], left=["disabled"], suppressed=["blocklisted", "blacklisted"]),
        source="github.com/knadh/listmonk cmd/subscribers.go (CSV heading), schema.sql (subscriber_status)",
    ),
    OptOutColumn(
        product="Ghost",
        headings=("subscribed_to_emails",),
        form="consent",
        source="github.com/TryGhost/Ghost core/server/services/members/exporter/query.js",
    ),
    OptOutColumn(
        product="Mailchimp",
        headings=("UNSUB_TIME",),
        form="time",
        source="github.com/TryGhost/migrate packages/mg-mailchimp-members (unsubscribed.csv)",
    ),
    OptOutColumn(
        product="Mailchimp",
        headings=("CLEAN_TIME",),
        form="time",
        yes="suppressed",
        source="github.com/TryGhost/migrate packages/mg-mailchimp-members (cleaned.csv)",
    ),
    OptOutColumn(
        product="Salesforce",
        headings=("HasOptedOutOfEmail", "PersonHasOptedOutOfEmail", "Email Opt Out"),
        form="flag",
        source="Salesforce API field HasOptedOutOfEmail (boolean), as public connectors read it",
    ),
    OptOutColumn(
        product="Salesforce",
        headings=("IsEmailBounced", "EmailBouncedDate", "PersonEmailBouncedDate", "Email Bounced Date"),
        form="flag",
        yes="suppressed",
        source="Salesforce API fields IsEmailBounced, EmailBouncedDate, as public connectors read them",
    ),
    OptOutColumn(
        product="Salesforce Marketing Cloud",
        headings=("Status",),
        form="words",
        ambiguous=True,
        words=_words(subscribed=["Active"], left=["Unsubscribed", "Deleted"], suppressed=["Bounced", "Held"]),
        source="developer.salesforce.com/docs/marketing/marketing-cloud/guide/subscriberstatus.html",
    ),
    OptOutColumn(
        product="HubSpot",
        headings=("Unsubscribed from all email", "hs_email_optout"),
        form="flag",
        source="HubSpot contact property hs_email_optout, label and type bool (properties API, public fixtures)",
    ),
    OptOutColumn(
        product="Mautic",
        headings=("doNotEmail", "dnc", "Do not contact"),
        form="words",
        # Numbers are the reasons of DoNotContact; 1 and 0 also stand for yes and no.
        words=_words(
            subscribed=["0", "no", "false"],
            left=["1", "3", "yes", "true", "unsubscribed", "manual", "manually unsubscribed"],
            suppressed=["2", "bounced"],
        ),
        source="github.com/mautic/mautic LeadBundle ImportContactSubscriber.php (doNotEmail), Entity/DoNotContact.php",
    ),
    OptOutColumn(
        product="Mautic",
        headings=("dnc_preferences", "DNC Preferences"),
        form="words",
        words=_words(
            # Of another channel than e-mail.
            subscribed=[
                f"DNC {reason}: {channel}"
                for reason in ("Unsubscribed", "Bounced", "Manually Unsubscribed")
                for channel in ("SMS", "Text Message", "Notification", "Web Notification", "Mobile Notification")
            ],
            left=["DNC Unsubscribed: Email", "DNC Manually Unsubscribed: Email"],
            suppressed=["DNC Bounced: Email"],
        ),
        source="github.com/mautic/mautic LeadBundle Report (dnc_preferences) and its functional test",
    ),
    OptOutColumn(
        product="Constant Contact",
        headings=("Email status",),
        form="words",
        ambiguous=True,
        # Blank: the contact was never set for mailings.
        words=_words(
            subscribed=["Active"],
            waiting=["Awaiting Confirmation"],
            left=["Unsubscribed", "No Permissions Set", "Not set", ""],
        ),
        source="community.constantcontact.com, Help understanding Email Status in exported contacts (m-p/410819)",
    ),
    OptOutColumn(
        product="Constant Contact",
        # A file with several addresses of a person has a status for each, blank if the address is missing.
        headings=("Email status - home", "Email status - other", "Email status - work"),
        form="words",
        ambiguous=True,
        words=_words(
            subscribed=["Active"],
            waiting=["Awaiting Confirmation"],
            left=["Unsubscribed", "No Permissions Set", "Not set"],
        ),
        source="exports with the headings `Email address - other`, `Email status - other`; values as above",
    ),
    OptOutColumn(
        product="Constant Contact",
        headings=(
            "Email permission status",
            "Email permission status - home",
            "Email permission status - other",
            "Email permission status - work",
        ),
        form="words",
        ambiguous=True,
        words=_words(
            subscribed=["Express", "Explicit", "Implied", "Implicit"],
            waiting=["Awaiting Confirmation", "Pending confirmation"],
            left=["Unsubscribed", "Temporary hold", "Temp hold", "No Permissions Set", "Not set"],
        ),
        source="exports with this heading; Constant Contact API v3, contact field permission_to_send",
    ),
    OptOutColumn(
        product="Constant Contact Lead Gen & CRM",
        headings=("Is Unsubscribed",),
        form="flag",
        source="knowledgebase.constantcontact.com, Formatting CSV files for import (article 50260)",
    ),
    OptOutColumn(
        product="Brevo",
        headings=("EMAIL_BLACKLISTED", "EMAIL_BLOCKLISTED", "BLACKLISTED", "BLOCKLISTED"),
        form="flag",
        yes="suppressed",
        source="developers.brevo.com/reference (contact field emailBlacklisted)",
    ),
    OptOutColumn(
        product="MailerLite",
        headings=("Status",),
        form="words",
        ambiguous=True,
        words=_words(
            subscribed=["Active"], waiting=["Unconfirmed"], left=["Unsubscribed"], suppressed=["Bounced", "Junk"]
        ),
        source="www.mailerlite.com/help/subscriber-statuses-explained",
    ),
    OptOutColumn(
        product="ActiveCampaign",
        headings=("Status",),
        form="words",
        ambiguous=True,
        words=_words(subscribed=["Active"], waiting=["Unconfirmed"], left=["Unsubscribed"], suppressed=["Bounced"]),
        source="help.activecampaign.com/hc/en-us/articles/221073788",
    ),
    OptOutColumn(
        product="Kit (ConvertKit)",
        headings=("state", "status"),
        form="words",
        ambiguous=True,
        # "inactive" is a subscriber who has not confirmed.
        words=_words(
            subscribed=["active"],
            waiting=["inactive"],
            left=["cancelled", "canceled"],
            suppressed=["bounced", "complained"],
        ),
        source="Kit API, subscriber `state` (schema of Create a subscriber)",
    ),
    OptOutColumn(
        product="Campaign Monitor",
        headings=("State",),
        form="words",
        ambiguous=True,
        words=_words(
            subscribed=["Active"], waiting=["Unconfirmed"], left=["Unsubscribed", "Deleted"], suppressed=["Bounced"]
        ),
        source="docs.zynk.com Campaign Monitor export",
    ),
    OptOutColumn(
        product="Klaviyo",
        headings=("Email Marketing Consent",),
        form="words",
        words=_words(
            subscribed=["SUBSCRIBED", "Subscribe"], left=["UNSUBSCRIBED", "NEVER_SUBSCRIBED"], suppressed=["SUPPRESSED"]
        ),
        source="Klaviyo profile export (Email Marketing Consent); API profile consent enum",
    ),
    OptOutColumn(
        product="Substack",
        headings=("email_disabled",),
        form="flag",
        source="github.com/TryGhost/migrate packages/mg-substack-members-csv",
    ),
    OptOutColumn(
        product="Shopify",
        headings=("Accepts Email Marketing", "Accepts Marketing"),
        form="consent",
        source="Shopify customer CSV (Accepts Email Marketing: yes, no)",
    ),
    OptOutColumn(
        product="MailUp",
        headings=("OptOut_Date",),
        form="time",
        source="help.mailup.com, Export of unsubscribed recipients (page 37978139)",
    ),
    # beehiiv, Mailcoach and many others (github.com/TryGhost/migrate packages/mg-beehiiv-members).
    OptOutColumn(
        product="any",
        headings=(
            "unsubscribed_at",
            "unsubscribed_on",
            "unsubscribed_date",
            "unsubscribe_date",
            "unsubscribe_time",
            "date_unsubscribed",
            "opted_out_at",
            "opt_out_at",
            "opt_out_time",
            "opt_out_date",
        ),
        form="time",
        source="the heading says it",
    ),
    OptOutColumn(
        product="any",
        headings=("bounced_at", "cleaned_at", "complained_at", "blocklisted_at", "blacklisted_at", "suppressed_at"),
        form="time",
        yes="suppressed",
        source="the heading says it",
    ),
    OptOutColumn(
        product="any",
        headings=(
            "unsubscribed",
            "is_unsubscribed",
            "opt_out",
            "opted_out",
            "is_opt_out",
            "is_opted_out",
            "email_opt_out",
            "email_opted_out",
            "opt_out_email",
            "opted_out_of_email",
            "has_opted_out",
            "do_not_mail",
            "do_not_contact_by_email",
            "no_mail",
            "no_email",
        ),
        form="flag",
        source="the heading says it",
    ),
    OptOutColumn(
        product="any",
        headings=("bounced", "hard_bounced", "complained", "suppressed", "is_blocklisted", "is_blacklisted", "banned"),
        form="flag",
        yes="suppressed",
        source="the heading says it",
    ),
    OptOutColumn(
        product="any",
        headings=("subscribed", "is_subscribed", "opt_in", "opted_in", "email_opt_in", "email_consent"),
        form="consent",
        source="the heading says it",
    ),
    OptOutColumn(
        product="any",
        headings=("subscription_status", "subscriber_status", "email_subscription_status"),
        form="words",
        words=_words(
            subscribed=["subscribed", "active", "confirmed", "enabled"],
            waiting=["unconfirmed", "pending", "waiting"],
            left=["unsubscribed", "opted out", "disabled", "inactive", "cancelled"],
            suppressed=["cleaned", "bounced", "complained", "blocklisted", "blacklisted", "suppressed", "banned"],
        ),
        source="the heading says it; the values are those of the products above and of Mailchimp's API",
    ),
)

# Values that can mean nothing else, whatever the column. "subscribed" and the like prove nothing.
TELLING: Mapping[str, Meaning] = _words(
    waiting=["unconfirmed"],
    left=["unsubscribed", "opted out"],
    suppressed=["blocklisted", "blacklisted", "bounced", "hard bounced", "cleaned", "complained", "spam complaint"],
)
_YES = frozenset({"1", "true", "t", "yes", "y", "x", "on", "checked"})
_NO = frozenset({"0", "false", "f", "no", "n", "off", "unchecked"})
# Excel's forms of `true` and `false` in a file that it has saved: German, French, Spanish, Italian.
_YES |= {"wahr", "ja", "vrai", "oui", "verdadero", "sí", "si", "vero"}
_NO |= {"falsch", "nein", "faux", "non", "falso"}
# Forms of a missing value: a time of zero, and the nulls of databases.
_NOTHING = frozenset({"", "null", "none", "nil", "nan", "n/a", "\\n", "never", "0", "false", "no"})
_BY_HEADING: dict[str, list[OptOutColumn]] = {}
for _column in COLUMNS:
    for _heading in _column.headings:
        _found = _BY_HEADING.setdefault(plain(_heading), [])
        if _column not in _found:
            _found.append(_column)


def is_opt_out(heading: str) -> bool:
    """Return whether a column with this heading holds opt-outs, or may hold them."""
    # A heading with a tab is several, in a file read with the wrong delimiter.
    return "\t" not in heading.strip() and plain(heading) in _BY_HEADING


class Reader:
    """Reads one column of a file, by its heading.

    For an ambiguous one `notice` collects values of the file, then `settle` decides. Until then, and without proof, no
    value has a meaning.
    """

    def __init__(self, heading: str) -> None:
        self._columns = _BY_HEADING.get(plain(heading), [])
        self.doubtful = any(column.ambiguous for column in self._columns)
        self._form: Form = self._columns[0].form if self._columns else "words"
        self._yes: Meaning = self._columns[0].yes if self._columns else "left"
        self._words: dict[str, Meaning] = {}
        self._fitting = [column for column in self._columns if column.form == "words"]
        self._seen = self._told = False
        self._known: dict[str, Meaning] = {}
        if not self.doubtful:
            self._words = _joined(self._fitting)

    @property
    def seen(self) -> bool:
        """Whether `notice` has seen a value that is not blank."""
        return self._seen

    @property
    def decided(self) -> bool:
        """Whether no further value could change what `settle` decides."""
        return self._told and not self._fitting

    def notice(self, values: Iterable[str]) -> None:
        """Collect some values of an ambiguous column."""
        for value in map(plain, values):
            if value:
                self._seen = True
                self._told = self._told or value in TELLING
                self._fitting = [column for column in self._fitting if value in column.words]

    def settle(self) -> bool:
        """Decide the meaning of an ambiguous column's values; False if they have none."""
        if self._seen and self._fitting:
            self._words = _joined(self._fitting)
        elif self._told:
            self._words = _joined(self._columns) | dict(TELLING)
            self._words.pop("", None)
        self._known.clear()
        self.doubtful = not self._words
        return not self.doubtful

    def meanings(self, values: Iterable[str]) -> list[Meaning]:
        """Return the meanings of some values, in order."""
        known = self._known
        found: list[Meaning] = []
        for value in values:
            meaning = known.get(value)
            if meaning is None:
                if len(known) >= KNOWN_VALUES:
                    known.clear()
                meaning = known[value] = self.read(value)
            found.append(meaning)
        return found

    def read(self, value: str) -> Meaning:
        """Return the meaning of a value."""
        if self.doubtful or not self._columns:
            return ""
        word = plain(value)
        if self._form == "words":
            return self._words[word] if word in self._words else self._of_several(value) if word else ""
        if word in _NOTHING or word in _NO:
            return self._yes if self._form == "consent" and word in _NO else ""
        if not value.strip("0-/: .TZ"):
            # 0000-00-00 00:00:00
            return ""
        if self._form == "time":
            return self._yes
        if word in _YES or _LIKE_TIME.match(value.strip()) or time_of(value) is not None:
            return self._yes if self._form == "flag" else ""
        return "unclear"

    def _of_several(self, value: str) -> Meaning:
        """Return the strongest meaning of several words separated by commas."""
        parts = [plain(part) for part in value.split(",")]
        found: list[Meaning] = [self._words.get(part, "unclear") for part in parts if part]
        return max(found, key=STRENGTH.__getitem__, default="")


def _joined(columns: Sequence[OptOutColumn]) -> dict[str, Meaning]:
    words: dict[str, Meaning] = {}
    for column in columns:
        for word, meaning in column.words.items():
            if STRENGTH[meaning] >= STRENGTH[words.get(word, "")]:
                words[word] = meaning
    return words


def time_of(text: str) -> datetime | None:
    """Return the instant of a value; None if it cannot be read, or is ambiguous.

    ISO 8601 and its relatives, and seconds or milliseconds since 1970. A time without a zone is UTC. The order of day
    and month is not guessed. A future time becomes now.
    """
    text = text.strip()
    return _time_of(text) if len(text) <= LONGEST_TIME else None


@lru_cache(maxsize=20_000)
def _time_of(text: str) -> datetime | None:
    try:
        if text.isascii() and text.isdecimal() and len(text) in (9, 10, 13):
            moment = EPOCH + timedelta(seconds=int(text) / (1000 if len(text) == 13 else 1))
        else:
            form = _TIME.fullmatch(text)
            if form is None:
                return None
            date, clock, fraction, zone = form.groups()
            zone = (zone or "Z").replace("UTC", "Z").replace("GMT", "Z")
            fraction = f".{fraction[:6]}" if fraction and len(clock) > 5 else ""
            moment = datetime.fromisoformat(f"{date.replace('/', '-')}T{clock or '00:00'}{fraction}{zone}")
    except (ValueError, OverflowError):
        return None
    moment = moment.astimezone(UTC)
    return min(moment, now()) if moment.year >= 1970 else None


# Longest time in characters. Times are cached, so they must not be long.
LONGEST_TIME = 64
# 2024-02-29, 2024/02/29 13:05, 2024-02-29T13:05:07.123Z, 2024-02-29 13:05:07.123456 +0000 UTC.
_TIME = re.compile(
    r"(\d{4}[-/]\d\d[-/]\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?)?"
    r"(?:\s*(Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)(?:\s+(?:[A-Z]{2,5}|[+-]\d{2,4}))?)?"
)
# A date in any order: 2/29/2024, 29.02.2024 13:05.
_LIKE_TIME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b")
