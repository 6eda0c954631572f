"""Types of the Listrak contract, members in wire order and with wire names."""

from soapstone.wire import types as wire
from soapstone.wire.types import Boolean, DateTime, Enumeration, Flat, Int, Nillable, String, Struct


class WSUser(Struct, any_attribute=True):
    """Header of every call (lk-8)."""

    UserName: String
    Password: String


class WSException(Struct):
    """A business error inside an answer; nil on success (lk-14 to lk-16)."""

    SoapMethod: String
    DateTime: Nillable[wire.DateTime]
    Description: String


class ImportTypeEnum(Enumeration):
    """What an import does (lk-73)."""

    AddSubscribers = "AddSubscribers"
    AddSubscribersAndProfileData = "AddSubscribersAndProfileData"
    RemoveSubscribers = "RemoveSubscribers"
    UpdateSubscribers = "UpdateSubscribers"
    RemoveSubscribersAndDeleteProfileData = "RemoveSubscribersAndDeleteProfileData"


class ImportProfileTypeEnum(Enumeration):
    """What an import does with profile data (lk-55)."""

    NotDefined = "NotDefined"
    Update = "Update"
    Append = "Append"
    Overwrite = "Overwrite"


# Members that are named like their own type need another name for it.
_ImportType = ImportTypeEnum
_ImportProfileType = ImportProfileTypeEnum


class WSImportDirectives(Struct):
    """How an import file is to be read and used (lk-67)."""

    ImportTypeEnum: _ImportType
    ImportProfileTypeEnum: _ImportProfileType
    FileName: String
    HasColumnNames: Boolean
    FileDelimiter: String
    TextQualifier: String


class WSFileMappings(Struct):
    """One used column of an import file (lk-69)."""

    AttributeID: Int
    DefaultValue: String
    FileColumn: Int
    IsEmailAddressColumn: Boolean


class StatusEnum(Enumeration):
    """State of a process (lk-79)."""

    DataActivelyUploading = "DataActivelyUploading"
    DataUploaded = "DataUploaded"
    DataReadyForProcessing = "DataReadyForProcessing"
    ProcessingData = "ProcessingData"
    ProcessingCompleted = "ProcessingCompleted"
    ProcessingFailed = "ProcessingFailed"


class WSProcessStatus(Struct):
    """How far a process is (lk-79 to lk-81)."""

    ProcessID: Int
    ListID: Int
    ProcessName: String
    ProcessStartTime: DateTime
    ProcessCompleteTime: DateTime
    Status: StatusEnum


class WSLegacyProcessStatus(Struct):
    """How far a process of the XML over HTTP interface is (lk-83, lk-84)."""

    StatusID: Int
    ListID: Int
    ProcessType: String
    CurrentStep: Int
    MaxStep: Int
    ProcessStartTime: DateTime
    ProcessCompleteTime: DateTime


class WSVmta(Struct):
    """A sending pool (lk-40)."""

    VmtaID: Int
    Description: String


class WSContactList(Struct):
    """A list with its settings (lk-36 to lk-43)."""

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
    EnableRSS: Boolean
    EnableGoogleAnalytics: Boolean
    GoogleTrackingDomains: Flat[String]
    EnableInternationalization: Boolean
    EnableDynamicContent: Boolean
    EnableListRemoveHeader: Boolean


class WSContactSubscriptionInfo(Struct):
    """A subscribed contact of a list."""

    ContactID: String
    EmailAddress: String
    AdditionDate: DateTime
    AdditionMethod: String


class WSImportHistory(Struct):
    """One import run with its counters (lk-92 to lk-94)."""

    ImportFileID: Int
    ImportSource: String
    ImportType: String
    ProfileImportType: String
    FileName: String
    FileSize: Int
    StartDate: DateTime
    EndDate: DateTime
    ProcessedCount: Int
    InvalidEmailCount: Int
    SubscribedCount: Int
    UnSubscribedCount: Int
    AlreadySubscribedCount: Int
    AlreadyUnsubscribedCount: Int
    PreviouslyUnsubscribedCount: Int
    SuppressedCount: Int
    BannedCount: Int
    SkippedCount: Int
