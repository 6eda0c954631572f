"""Set one attribute for all subscribers of a list."""

from __future__ import annotations

from soapstone.listrak.call import Call, Handlers
from soapstone.listrak.operations import (
    UpdateSubscribedContactAttribute,
    UpdateSubscribedContactAttributeWithOptions,
)
from soapstone.wire.faults import Fault


def update_subscribed_contact_attribute(
    call: Call, request: UpdateSubscribedContactAttribute | UpdateSubscribedContactAttributeWithOptions
) -> int:
    """Start it; the number of its process (lk-66, lk-77). A blank value empties the attribute."""
    attribute = call.product.profiles.attribute(call.account.id, request.AttributeID)
    if attribute is None or call.find_list(attribute.list_id) is None:
        raise Fault(f"[NotFound] Attribute {request.AttributeID} does not exist or is not accessible.")
    job = call.product.attribute_updates.submit(
        account=call.account, login=call.login, attribute=attribute, value=request.Value or ""
    )
    return job.id


HANDLERS: Handlers = {
    "UpdateSubscribedContactAttribute": update_subscribed_contact_attribute,
    "UpdateSubscribedContactAttributeWithOptions": update_subscribed_contact_attribute,
}
