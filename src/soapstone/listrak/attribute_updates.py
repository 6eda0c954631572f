"""Set one attribute for all subscribers of a list."""

from __future__ import annotations

from soapstone.listrak.call import Call, not_found
from soapstone.listrak.operations import (
    UpdateSubscribedContactAttribute,
    UpdateSubscribedContactAttributeWithOptions,
)


def update_subscribed_contact_attribute(
    call: Call, request: UpdateSubscribedContactAttribute | UpdateSubscribedContactAttributeWithOptions
) -> int:
    """Start it; the number of its process (lk-66, lk-77). A blank value empties the attribute."""
    attribute = call.product.profiles.attribute(call.account.id, request.AttributeID)
    if attribute is None or call.find_list(attribute.list_id) is None:
        raise not_found("Attribute", request.AttributeID)
    job = call.product.attribute_updates.submit(
        account=call.account, login=call.login, attribute=attribute, value=request.Value or ""
    )
    return job.id
