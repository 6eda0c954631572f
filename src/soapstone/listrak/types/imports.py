"""Import files: how they are read, and the reports of what came of them."""

from soapstone.wire.types import Boolean, DateTime, Enumeration, Int, String, Struct


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


class WSImportDirectives(Struct):
    """How an import file is to be read and used (lk-67)."""

    ImportTypeEnum: ImportTypeEnum
    ImportProfileTypeEnum: ImportProfileTypeEnum
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


class WSTriggerFileMappings(Struct):
    """One used column of an import file that may raise events (lk-71)."""

    AttributeID: Int
    DefaultValue: String
    FileColumn: Int
    IsEmailAddressColumn: Boolean
    IsExternalEventColumn: Boolean


class WSBulkLoadOptions(Struct):
    """Whether the mail about the result is left out (lk-77)."""

    SuppressEmailNotifications: Boolean


class WSConductorBulkLoadOptions(Struct):
    """The same for imports that raise events (lk-77)."""

    SuppressEmailNotifications: Boolean


class WSUpdateSubcribedContactAttributeOptions(Struct):
    """The same for setting an attribute. The name is misspelt in the original (lk-124)."""

    SuppressEmailNotifications: Boolean


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


class WSImportResultEnum(Enumeration):
    """What became of a row; a missing one counts as `Invalid` (lk-6, lk-95)."""

    Invalid = "Invalid"
    All = "All"
    Subscribed = "Subscribed"
    UnSubscribed = "UnSubscribed"
    AlreadySubscribed = "AlreadySubscribed"
    AlreadyUnSubscribed = "AlreadyUnSubscribed"
    Suppressed = "Suppressed"
    Banned = "Banned"
    Skipped = "Skipped"


class WSImportContact(Struct):
    """A row of an import file; number 0 where there is no contact (lk-95)."""

    EmailAddress: String
    ContactID: Int
