"""Stored messages."""

from soapstone.magnetmail.types.errors import error as _error
from soapstone.magnetmail.types.groups import JobToGroup
from soapstone.wire.types import Boolean, DateTime, Double, Enumeration, Int, Nillable, String, Struct


class bool_special(Enumeration):
    """A filter with a third value for both; a missing one counts as `no` (mm-6)."""

    no = "no"
    yes = "yes"
    all = "all"


class CharacterSet(Enumeration):
    """The writing that a message is made for."""

    Western = "Western"
    International = "International"


class Message(Struct):
    """A stored message in a list."""

    message_id: Int
    loginid: Int
    user_id: String
    message_name: String
    createDate: DateTime
    lastSent: DateTime


class MessageList(Struct):
    """A stored message with the groups it was sent to."""

    message: Message | None
    GroupsEmailSentTo: list[JobToGroup] | None
    GroupsFaxSentTo: list[JobToGroup] | None


class MessageDetails(Struct):
    """A stored message, whole: texts, fax documents, subject, sender."""

    message_id: Nillable[Int]
    loginid: Nillable[Int]
    message_category: Nillable[Int]
    template_id: Nillable[Int]
    user_id: String
    message_name: String
    text_version: String
    html_version_block1: String
    html_version_block2: String
    html_version_block3: String
    fax_doc_1: String
    fax_doc_2: String
    fax_doc_3: String
    fax_doc_4: String
    fax_doc_5: String
    is_fax_merged: Nillable[Boolean]
    is_fax_only: Nillable[Boolean]
    is_copy_paste_template: Nillable[Boolean]
    is_auto_unsubscribe_link: Nillable[Boolean]
    SubjectLine: String
    FromAddress: String
    createDate: DateTime
    lastSent: DateTime
    characterSet: CharacterSet


class createEditMessageResult(Struct):
    """Answer of storing a message."""

    error: Nillable[Double]
    errorObj: _error | None
    links_already_exists: Nillable[Boolean]
    magnetMail_tracking_link_exists: Nillable[Boolean]
    message_id: Nillable[Double]
    message_in_queue: Nillable[Boolean]
    msg: String
