"""Recipients, their fields, and how they are searched for."""

from soapstone.wire.types import Boolean, DateTime, Double, Int, Nillable, String, Struct


class Asset(Struct):
    """What objects of an account extend; it has no members."""


class CustomFields(Struct, mixin=True, numbered={"custom": 30}):
    """The account's own fields."""


class _Fields(Struct, mixin=True):
    """What recipients and examples of them begin with."""

    id: String
    email: String
    first_name: String
    last_name: String
    fax: String
    Custom_Id: String
    phone: String
    address: String
    address_2: String
    city: String
    state: String
    zip: String
    company: String
    unsubscribed: Nillable[Boolean]
    fax_send_suppress: Nillable[Boolean]
    email_send_suppress: Nillable[Boolean]
    email_confirm: Nillable[Boolean]
    text_only: Nillable[Boolean]


class Recipient(Asset, _Fields, CustomFields):
    """A person with all fields of the account."""

    suppressed: Nillable[Boolean]
    suppressed_date: Nillable[DateTime]


class fieldDefn(Struct):
    """A field of recipients: the account's label and the name that upload mappings use (mm-43)."""

    fieldNameText: String
    fieldNamevalue: String


class ExtendedField(Struct):
    """An enhanced field of the account and its name in upload mappings (mm-43)."""

    fieldId: Nillable[Double]
    fieldName: String
    loginId: Nillable[Double]
    uploadMappingName: String


class RecipientExtendedField(Struct):
    """A further field by name, with its value."""

    field_name: String
    field_value: String


class RecipientExtended(Struct):
    """A recipient with further fields."""

    recipient: Recipient | None
    extended_field: list[RecipientExtendedField] | None


class subscription(Struct):
    """A recipient who subscribed, and the groups that were joined."""

    recipient: Recipient | None
    add_update_date: DateTime
    groups: list[Int] | None


class MagnetMailQueries(Struct):
    """A saved search, all of it as text."""

    Search_Name: String
    Search_Id: String
    Create_Date: String
    LoginId: String


class SearchCriteria(Struct):
    """The page that a search asks for (mm-36)."""

    pageNo: Int
    pageSize: Int


class _User(Struct, mixin=True):
    mail_user_id: String


class RecipientSearchCriteria(SearchCriteria, _User, _Fields, CustomFields):
    """Example values: what is given must match."""

    suppressed: Nillable[Boolean]
    suppressed_start_date: Nillable[DateTime]
    suppressed_end_date: Nillable[DateTime]


class SearchResults(Struct, abstract=True):
    """What answers of searches extend."""


class RecipientSearchResults(SearchResults):
    """One page of recipients, without a total."""

    recipients: list[Recipient] | None
