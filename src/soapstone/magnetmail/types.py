"""Types of the MagnetMail contract, members in wire order and with wire names."""

from soapstone.wire.types import Boolean, DateTime, Double, Int, Nillable, String, Struct


class mmAuthHeader(Struct, any_attribute=True):
    """Header of every call but two (mm-2): the session and, optionally, the account it works for."""

    sessionId: String
    user_id: String


class Error(Struct):
    """Particulars of an error; all strings empty and number 0 for none (mm-20)."""

    errorCode: String
    errorDetails: String
    errorMessage: String
    errorNumber: Nillable[Double]
    errorType: String


class AuthenticationResult(Struct):
    """Who was let in, or `authenticated` false (mm-8, mm-11)."""

    authenticated: Boolean
    sessionId: String = None
    loginid: Int = 0
    login_name: String = None
    user_nbr: Int = 0
    partition_id: Int = 0
    is_parent_mail_user: Int = 0
    parent_user_id: String = None
    user_id: String = None


class SaveResult(Struct):
    """Answer of a call that stores one object."""

    error: Nillable[Double]
    errorObj: Error | None
    id: Nillable[Double]
    msg: String


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


class fieldDefn(Struct):
    """A field of recipients: the account's label and the name that upload mappings use (mm-43)."""

    fieldNameText: String
    fieldNamevalue: String


class group(Struct):
    """A group as `getGroups` lists it."""

    group_id: Int
    group_name: String
    group_created: DateTime
    display_status: Boolean
    subscription_group: Boolean
    last_updated_date: DateTime
    last_updated_loginid: Int


class MailRecipientGroup(Struct):
    """A group with its totals (mm-92)."""

    group_id: Int
    group_name: String
    group_created: DateTime
    display_status: Boolean
    subscription_group: Boolean
    last_updated_date: DateTime
    last_updated_loginid: Int
    TotalInGroup: Int
    TotalEmailAndFaxSuppressed: Int
    TotalFaxSuppressed: Int
    TotalEmailSuppressed: Int
    TotalUnsubscribed: Int


class GroupRecipient(Struct):
    """A member of a group."""

    EmailId: String
    CustomMemberId: String
    RecipientId: String


class GroupRecipients(Struct):
    """One page of the members of a group."""

    recipients: list[GroupRecipient] | None
