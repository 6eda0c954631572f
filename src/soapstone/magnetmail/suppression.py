"""Suppression by channel (mm-123 to mm-126)."""

from __future__ import annotations

from soapstone.contacts.channels import Identity
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import Call
from soapstone.magnetmail.recipient import columns, wire
from soapstone.wire.faults import Fault

# What names people → field of a person.
IDENTITIES: dict[t.SuppressionIdentity, Identity] = {
    t.SuppressionIdentity.CustomId: "custom_id",
    t.SuppressionIdentity.Email: "email",
    t.SuppressionIdentity.Fax: "fax",
}
# Combination on the wire → channels.
CHANNELS = {
    t.SuppressionType.Email: frozenset({"email"}),
    t.SuppressionType.Fax: frozenset({"fax"}),
    t.SuppressionType.EmailAndFax: frozenset({"email", "fax"}),
    t.SuppressionType.SMS: frozenset({"sms"}),
    t.SuppressionType.EmailAndSms: frozenset({"email", "sms"}),
    t.SuppressionType.FaxAndSms: frozenset({"fax", "sms"}),
    t.SuppressionType.EmailFaxAndSms: frozenset({"email", "fax", "sms"}),
}
TYPES = {channels: kind for kind, channels in CHANNELS.items()}


def upload_suppression_list(call: Call, request: op.uploadSuppressionList) -> t.RecipientSuppressionResult:
    """Shut channels for people; unknown ones are created (mm-124, mm-125)."""
    given = request.suppressionlist
    if given is None:
        raise Fault("[InvalidRequest] suppressionlist is missing.")
    people = [
        columns(each) | {"text_only": bool(each.text_only)} for each in given.recipients or [] if each is not None
    ]
    identity, channels = IDENTITIES[given.suppressby], CHANNELS[given.type]
    done = call.product.channels.shut(call.account, people, identity, channels, login=call.login)
    return t.RecipientSuppressionResult(new_added=done.added, total_updated=done.updated)


def get_suppressed_recipient_list(call: Call, request: op.getSuppressedRecipientList) -> list[t.RecipientExtended]:
    """Return who was suppressed within the range, in a group or in all, with the enhanced fields (mm-126)."""
    group_id = request.group_id or 0
    if group_id and call.group(group_id) is None:
        return []
    start, end = call.range(request.start_date, request.end_date)
    people = call.product.channels.suppressed(
        call.account.id, list_id=group_id, since_from=start, since_before=end, login=call.login
    )
    groups = [group.id for group in call.groups if group_id in (0, group.id)]
    attributes = [attribute for each in groups for attribute in call.product.profiles.attributes(each)]
    profiles = call.product.channels.profiles([person.id for person in people], login=call.login)
    return [
        t.RecipientExtended(
            recipient=wire(call, person),
            extended_field=[
                t.RecipientExtendedField(field_name="SuppressionType", field_value=TYPES[person.channels_shut]),
                *(
                    t.RecipientExtendedField(
                        field_name=attribute.name,
                        field_value=profiles.get(person.id, {}).get(str(attribute.id), ""),
                    )
                    for attribute in attributes
                ),
            ],
        )
        for person in people
    ]
