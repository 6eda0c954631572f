"""Upload jobs, and the queue in front of them."""

from soapstone.magnetmail.types.errors import Error
from soapstone.wire.types import Boolean, DateTime, Double, Enumeration, Int, Nillable, SpooledText, String, Struct


class UploadListResult(Struct):
    """The record of an upload job (mm-41, mm-47 to mm-51)."""

    complete_date: Nillable[DateTime] = None
    error: Nillable[Double] = None
    errorObj: Error | None = None
    good_records: Nillable[Double] = None
    group_count: Nillable[Double] = None
    groupid: Nillable[Double] = None
    header: Nillable[Double] = None
    jobid: Nillable[Double] = None
    loginid: Nillable[Double] = None
    mm_filename: String = None
    msg: String = None
    new_added: Nillable[Double] = None
    old_updated: Nillable[Double] = None
    replace_group: Nillable[Double] = None
    status: Nillable[Double] = None
    total_records: Nillable[Double] = None
    update_dups: Nillable[Double] = None
    upload_date: Nillable[DateTime] = None
    user_filename: String = None
    user_id: String = None


class UploadGroupOption(Enumeration):
    """Whether the file joins the group or replaces its members (mm-62)."""

    ADD = "ADD"
    REPLACE = "REPLACE"


class UploadColumnMapping(Struct):
    """Which field a column fills; columns count from 1 (mm-63)."""

    CsvColumnOrder: Int
    RMColumnName: String


class UploadJobSettings(Struct):
    """How the file is to be read and used."""

    HasHeaderRow: Boolean
    GroupId: Int
    ContainsNonWesternCharacters: Boolean
    AddReplace: UploadGroupOption
    UpdateExistingRecipients: Boolean
    ColumnMappings: list[UploadColumnMapping] | None
    MappingName: String


class UploadInitialJob(Struct):
    """An upload with its file; the answer holds no file (mm-64)."""

    InitialQueueId: Double
    UserId: String
    LoginId: Double
    CsvData: SpooledText
    Settings: UploadJobSettings | None


class UploadInitialQueueStatus(Struct):
    """What became of an entry of the queue (mm-65)."""

    UploadId: Double
    MailUserId: String
    UploadDate: DateTime
    JobId: Int
    errorMessage: String
