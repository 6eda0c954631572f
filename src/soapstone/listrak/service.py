"""The Listrak service behind the endpoint: one handler for each operation that is available."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from soapstone.listrak.attribute_updates import update_subscribed_contact_attribute
from soapstone.listrak.call import Call, admit
from soapstone.listrak.collections import (
    conductor_get_conversations,
    conductor_get_external_events,
    get_campaign_collection,
    get_character_set_collection,
)
from soapstone.listrak.contact_reports import (
    report_admin_contact_feedback_loop,
    report_list_contact_hygiene,
    report_list_contact_removal,
    report_range_list_contact_hygiene,
    report_range_list_contact_removal,
    report_range_subscribed_contacts,
    report_subscribed_contacts,
)
from soapstone.listrak.contacts import (
    change_contact_email_address,
    get_contact,
    get_contact_by_email_key,
    get_filtered_list_count,
    set_contact,
    subscribe_contact,
    subscribe_form_pass_through,
    unsubscribe_contact,
    update_contact,
)
from soapstone.listrak.import_detail import report_import_contact_detail
from soapstone.listrak.import_history import report_list_import_history
from soapstone.listrak.imports import bulk_load_contacts, conductor_bulk_load
from soapstone.listrak.lists import (
    add_google_tracking_domains,
    create_contact_list,
    create_list,
    delete_contact_list,
    delete_google_tracking_domains,
    get_account_vmta_collection,
    get_contact_list,
    get_contact_list_collection,
    update_contact_list,
)
from soapstone.listrak.messages import (
    get_message_analytics_information,
    get_message_status,
    get_saved_message_collection,
    get_system_id_from_public_id,
    get_transactional_message_collection,
)
from soapstone.listrak.processes import get_legacy_process_status, get_process_status
from soapstone.listrak.profiles import (
    create_profile_attribute,
    create_profile_header,
    delete_profile_attribute,
    delete_profile_header,
    get_profile_header_collection,
    update_profile_attribute,
    update_profile_header,
)
from soapstone.listrak.sends import (
    schedule_send_list_message,
    schedule_send_list_message_with_profile_filter,
    send_list_message,
    send_list_message_review,
    send_list_message_test,
    send_list_message_with_profile_filter,
    send_saved_message,
    send_saved_message_test,
)
from soapstone.listrak.spam_score import get_spam_score
from soapstone.listrak.transactional import send_transactional_message
from soapstone.listrak.types import WSUser
from soapstone.product import Product, RecordsUnavailable
from soapstone.wire.contract import Operation
from soapstone.wire.endpoint import Caller
from soapstone.wire.faults import Fault
from soapstone.wire.types import Struct

log = logging.getLogger(__name__)

HANDLERS: dict[str, Callable[[Call, Any], Any]] = {
    "BulkLoadContacts": bulk_load_contacts,
    "BulkLoadContactsWithOptions": bulk_load_contacts,
    "ConductorBulkLoadAndTriggerContacts": conductor_bulk_load,
    "ConductorBulkLoadAndTriggerContactsWithOptions": conductor_bulk_load,
    "UpdateSubscribedContactAttribute": update_subscribed_contact_attribute,
    "UpdateSubscribedContactAttributeWithOptions": update_subscribed_contact_attribute,
    "GetProcessStatus": get_process_status,
    "GetLegacyProcessStatus": get_legacy_process_status,
    "GetContactList": get_contact_list,
    "GetContactListCollection": get_contact_list_collection,
    "CreateContactList": create_contact_list,
    "CreateList": create_list,
    "UpdateContactList": update_contact_list,
    "DeleteContactList": delete_contact_list,
    "AddGoogleTrackingDomainsToList": add_google_tracking_domains,
    "DeleteGoogleTrackingDomainsFromList": delete_google_tracking_domains,
    "GetAccountVmtaCollection": get_account_vmta_collection,
    "GetCampaignCollection": get_campaign_collection,
    "GetCharacterSetCollection": get_character_set_collection,
    "ConductorGetExternalEvents": conductor_get_external_events,
    "ConductorGetConversations": conductor_get_conversations,
    "GetProfileHeaderCollection": get_profile_header_collection,
    "CreateProfileHeader": create_profile_header,
    "CreateProfileAttribute": create_profile_attribute,
    "UpdateProfileHeader": update_profile_header,
    "DeleteProfileHeader": delete_profile_header,
    "UpdateProfileAttribute": update_profile_attribute,
    "DeleteProfileAttribute": delete_profile_attribute,
    "GetContact": get_contact,
    "GetContactByEmailKey": get_contact_by_email_key,
    "SetContact": set_contact,
    "UpdateContact": update_contact,
    "SubscribeFormPassThrough": subscribe_form_pass_through,
    "ChangeContactEmailAddress": change_contact_email_address,
    "SubscribeContact": subscribe_contact,
    "UnsubscribeContact": unsubscribe_contact,
    "GetFilteredListCount": get_filtered_list_count,
    "SendListMessage": send_list_message,
    "SendListMessageWithProfileFilter": send_list_message_with_profile_filter,
    "ScheduleSendListMessage": schedule_send_list_message,
    "ScheduleSendListMessageWithProfileFilter": schedule_send_list_message_with_profile_filter,
    "SendListMessageTest": send_list_message_test,
    "SendListMessageReview": send_list_message_review,
    "SendSavedMessage": send_saved_message,
    "SendSavedMessageTest": send_saved_message_test,
    "GetSavedMessageCollection": get_saved_message_collection,
    "SendTransactionalMessage": send_transactional_message,
    "GetTransactionalMessageCollection": get_transactional_message_collection,
    "GetMessageStatus": get_message_status,
    "GetSystemIDFromPublicID": get_system_id_from_public_id,
    "GetMessageAnalyticsInformation": get_message_analytics_information,
    "GetSpamScore": get_spam_score,
    "ReportSubscribedContacts": report_subscribed_contacts,
    "ReportRangeSubscribedContacts": report_range_subscribed_contacts,
    "ReportListContactRemoval": report_list_contact_removal,
    "ReportRangeListContactRemoval": report_range_list_contact_removal,
    "ReportListContactHygiene": report_list_contact_hygiene,
    "ReportRangeListContactHygiene": report_range_list_contact_hygiene,
    "ReportAdminContactFeedbackLoop": report_admin_contact_feedback_loop,
    "ReportListImportHistory": report_list_import_history,
    "ReportImportContactDetail": report_import_contact_detail,
}

AVAILABLE = HANDLERS.keys()


class ListrakService:
    """Answers the operations of the contract from the product's records."""

    def __init__(self, product: Product) -> None:
        self._product = product

    def authorise(self, operation: Operation, header: Struct | None, caller: Caller) -> Call:
        """The call of the header's user; reports need the analytics permission (lk-9)."""
        analytics = operation.name.startswith("Report")
        user = cast(WSUser | None, header)
        return admit(self._product, user, caller.peer, analytics=analytics, base_url=caller.base_url)

    def handle(self, operation: Operation, context: Call, request: Struct, caller: Caller) -> Any:
        """The operation's result or answer. Raises Fault for an operation that is not available yet."""
        handler = HANDLERS.get(operation.name)
        if handler is None:
            told = {"address": caller.peer or "-", "operation": operation.name, "login": context.login.name}
            log.warning("operation is not available", extra={**told, "account": context.login.account_id})
            raise Fault(f"[NotImplemented] {operation.name} is not available yet.")
        return handler(context, request)

    def internal_error(self, error: Exception) -> str:
        """The fault's message for a failure of our own (lk-18)."""
        known = isinstance(error, RecordsUnavailable)
        return f"[InternalError] {RecordsUnavailable.sentence if known else 'The server met an internal error.'}"

    def caller_name(self, context: Call) -> str:
        """Account and login, for the list of calls."""
        return f"{context.account.name}/{context.login.name}"

    def account_id(self, context: Call) -> int:
        """The account of the login."""
        return context.account.id
