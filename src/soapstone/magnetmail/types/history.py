"""What happened with one recipient: mails, faxes, forms."""

from soapstone.wire.types import DateTime, Int, String, Struct


class website_link(Struct):
    """A page that was visited after a link of a mail."""

    website_link_url: String
    website_link_url_id: Int


class link(Struct):
    """A link of a mail that the recipient clicked."""

    link_url: String
    link_url_id: Int
    website_links: list[website_link] | None


class email_history(Struct):
    """A mail to the recipient; `open_date` is the year 1 until it is opened (mm-32)."""

    message_name: String
    message_id: Int
    sent_date: DateTime
    open_date: DateTime
    send_result: String
    links: list[link] | None


class fax_history(Struct):
    """A fax to the recipient."""

    message_name: String
    sent_date: DateTime
    fax_status: String
    connect_time: Int


class form_history(Struct):
    """A form that the recipient filled in."""

    form_name: String
    submit_date: DateTime


class recipient_history(Struct):
    """All of it."""

    emailHistory: list[email_history] | None
    faxHistory: list[fax_history] | None
    formHistory: list[form_history] | None
