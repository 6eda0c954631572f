"""The account as the contract shows it: what it may do, and how its fields are called."""

from __future__ import annotations

from collections.abc import Mapping

from soapstone.magnetmail.call import Call
from soapstone.magnetmail.operations import GetEnhancedPersonalizedFields, getRecipientFields, getUserDetails
from soapstone.magnetmail.recipient import FIELD_NAMES
from soapstone.magnetmail.types import ExtendedField, User, fieldDefn
from soapstone.vocabulary.contacts import UnsubscribeType

# What an unsubscribe is about → its number (mm-120).
UNSUBSCRIBE_TYPES: Mapping[str, int] = {
    UnsubscribeType.ALL: 1,
    UnsubscribeType.LISTS: 2,
    UnsubscribeType.MESSAGE_CATEGORIES: 3,
    UnsubscribeType.LIST_CATEGORIES: 4,
}
# The only version of uploads that there is (mm-66).
UPLOAD_VERSION = 2


def get_user_details(call: Call, request: getUserDetails) -> User:
    """Return what the account may do and uses (mm-66, mm-119, mm-120)."""
    account, product = call.account, call.product
    return User(
        billing_name=account.name,
        User_Id=account.name,
        User_Nbr=account.id,
        unsubscribe_type=UNSUBSCRIBE_TYPES[account.unsubscribe_type],
        hasCustomId=account.identifier == "custom_id",
        hasFax=False,
        req_billing_code=False,
        req_billing_initials=False,
        insertTextUnsubscribe=False,
        hasForms=False,
        web_version=True,
        newsletter_permission=False,
        CampaignManager_permission=False,
        dynamic_content_permission=False,
        rss_permission=False,
        FilterOutGroupsOnSend=True,
        event_permission=bool(product.event_sign_ups.all(account.id)),
        enable_ignore_dedupe=True,
        messageCategory=bool(product.message_categories.all(account.id)),
        email_notification_permission=False,
        hasEmail=True,
        UploadSystemVersion=UPLOAD_VERSION,
    )


def get_recipient_fields(call: Call, request: getRecipientFields) -> list[fieldDefn]:
    """Return the fields of recipients with the account's own names for them (mm-43)."""
    labels = call.account.field_labels
    return [
        fieldDefn(fieldNameText=labels.get(column) or name.replace("_", " "), fieldNamevalue=name)
        for column, name in FIELD_NAMES.items()
    ]


def get_enhanced_personalized_fields(call: Call, request: GetEnhancedPersonalizedFields) -> list[ExtendedField]:
    """Return the profile attributes of the groups with their names in uploads; loginId is ignored (mm-43, mm-130)."""
    return [
        ExtendedField(
            fieldId=attribute.id, fieldName=attribute.name, loginId=None, uploadMappingName=f"EP_{attribute.id}"
        )
        for group in call.groups
        for attribute in call.product.profiles.attributes(group.id)
    ]
