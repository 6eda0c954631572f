"""Who calls, and what the account may do."""

from soapstone.wire.types import Boolean, Int, String, Struct


class mmAuthHeader(Struct, any_attribute=True):
    """Header of every call but two (mm-2): the session and, optionally, the account it works for."""

    sessionId: String
    user_id: String


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


class User(Struct):
    """What an account may do; the contract calls an account a user (mm-9)."""

    billing_name: String
    User_Id: String
    User_Nbr: Int
    unsubscribe_type: Int
    hasCustomId: Boolean
    hasFax: Boolean
    req_billing_code: Boolean
    req_billing_initials: Boolean
    insertTextUnsubscribe: Boolean
    hasForms: Boolean
    web_version: Boolean
    newsletter_permission: Boolean
    CampaignManager_permission: Boolean
    dynamic_content_permission: Boolean
    rss_permission: Boolean
    FilterOutGroupsOnSend: Boolean
    event_permission: Boolean
    enable_ignore_dedupe: Boolean
    messageCategory: Boolean
    email_notification_permission: Boolean
    hasEmail: Boolean
    UploadSystemVersion: Int
