"""Contact lists and their settings."""

from soapstone.wire.types import Boolean, DateTime, Enumeration, Flat, Int, String, Struct


class BounceHandlingSettings(Enumeration):
    """What happens to bounces; elsewhere the same as the number 0, 1 or 2 (lk-37)."""

    DoNotHandle = "DoNotHandle"
    StandardHandling = "StandardHandling"
    AggressiveHandling = "AggressiveHandling"


class WSVmta(Struct):
    """A sending pool (lk-40)."""

    VmtaID: Int
    Description: String


class _List(Struct, mixin=True):
    ListID: Int
    ListName: String
    CreateDate: DateTime
    FromName: String
    FromEmail: String
    EnableRemovalLink: Boolean
    EnableBrowserLink: Boolean
    bounceHandling: Int
    EnableDoubleOptin: Boolean
    EnableListHygiene: Boolean
    Vmta: WSVmta | None
    ShowEmailList: Boolean
    ShowAdvancedPersonalization: Boolean
    BounceUnsubscribeCount: Int
    DomainAliasLink: String
    DomainAliasEmail: String


class WSContactList(_List):
    """A list with its settings (lk-36 to lk-43)."""

    EnableRSS: Boolean
    EnableGoogleAnalytics: Boolean
    GoogleTrackingDomains: Flat[String]
    EnableInternationalization: Boolean
    EnableDynamicContent: Boolean
    EnableListRemoveHeader: Boolean


class WSUpdateContactList(Struct):
    """The settings of a list that can be changed (lk-36)."""

    ListID: Int
    ListName: String
    FromName: String
    FromEmail: String
    EnableRemovalLink: Boolean
    EnableBrowserLink: Boolean
    BounceHandling: BounceHandlingSettings
    EnableDoubleOptin: Boolean
    EnableListHygiene: Boolean
    VmtaID: Int
    ShowEmailList: Boolean
    ShowAdvancedPersonalization: Boolean
    BounceUnsubscribeCount: Int
    DomainAliasLink: String
    DomainAliasEmail: String
    EnableRSS: Boolean
    EnableGoogleAnalytics: Boolean
    EnableInternationalization: Boolean
    EnableDynamicContent: Boolean
    EnableListRemoveHeader: Boolean
    DefaultMerchantID: Int


class WSList(_List):
    """A list as the older call creates it (lk-36)."""
