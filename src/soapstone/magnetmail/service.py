"""The MagnetMail service behind the endpoint: one handler for each operation that is available."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from soapstone.magnetmail.call import Call
from soapstone.magnetmail.categories import get_all_group_categories, get_group_category, get_message_category
from soapstone.magnetmail.entries import get_upload_initial_queue_job_status, upload_list_initial_queue
from soapstone.magnetmail.errors import error_record
from soapstone.magnetmail.events import create_event_sign_up, search_personify_subscription_mappings
from soapstone.magnetmail.groups import (
    add_group,
    get_group_details,
    get_group_recipients,
    get_group_recipients_count,
    get_groups,
    get_groups_utc,
)
from soapstone.magnetmail.links import get_link_urls
from soapstone.magnetmail.messages import (
    create_message,
    edit_message,
    get_message_details,
    get_message_list,
    get_message_list_utc,
    get_messages,
    get_messages_utc,
)
from soapstone.magnetmail.recipients import (
    add_recipient,
    edit_recipient,
    edit_recipient_groups,
    get_recipient_details,
    get_recipient_groups,
    get_recipient_history,
)
from soapstone.magnetmail.searches import (
    get_saved_searches,
    get_subscribed_recipients,
    run_saved_search,
    search_for_recipients,
)
from soapstone.magnetmail.sends import send_email_to_individual, send_message_to_group
from soapstone.magnetmail.sessions import admit, authenticate
from soapstone.magnetmail.suppression import get_suppressed_recipient_list, upload_suppression_list
from soapstone.magnetmail.types import AuthenticationResult, mmAuthHeader
from soapstone.magnetmail.unsubscribes import (
    get_spam_complaints,
    get_unsubscribe_tracking,
    get_unsubscribes,
    unsubscribe_recipients,
)
from soapstone.magnetmail.uploads import (
    get_upload_job_status,
    get_upload_job_status_utc,
    upload_list_queue,
    upload_list_queue_test,
)
from soapstone.magnetmail.users import get_enhanced_personalized_fields, get_recipient_fields, get_user_details
from soapstone.product import Product, RecordsUnavailable
from soapstone.wire.contract import Operation
from soapstone.wire.endpoint import Caller
from soapstone.wire.faults import Fault
from soapstone.wire.types import Struct

log = logging.getLogger(__name__)

# Operations that need a session, by name.
HANDLERS: dict[str, Callable[[Call, Any], Any]] = {
    "addGroup": add_group,
    "getGroups": get_groups,
    "getGroupDetails": get_group_details,
    "getGroupRecipients": get_group_recipients,
    "getGroupRecipientsCount": get_group_recipients_count,
    "getGroupsUTC": get_groups_utc,
    "GetMessageCategory": get_message_category,
    "GetGroupCategory": get_group_category,
    "GetAllGroupCategories": get_all_group_categories,
    "getUserDetails": get_user_details,
    "getRecipientFields": get_recipient_fields,
    "GetEnhancedPersonalizedFields": get_enhanced_personalized_fields,
    "addRecipient": add_recipient,
    "editRecipient": edit_recipient,
    "getRecipientDetails": get_recipient_details,
    "getRecipientGroups": get_recipient_groups,
    "editRecipientGroups": edit_recipient_groups,
    "getRecipientHistory": get_recipient_history,
    "searchForRecipients": search_for_recipients,
    "getSavedSearches": get_saved_searches,
    "runSavedSearch": run_saved_search,
    "getSubscribedRecipients": get_subscribed_recipients,
    "unsubscribeRecipients": unsubscribe_recipients,
    "getUnsubscribes": get_unsubscribes,
    "getSpamComplaints": get_spam_complaints,
    "GetUnsubscribeTracking": get_unsubscribe_tracking,
    "uploadSuppressionList": upload_suppression_list,
    "getSuppressedRecipientList": get_suppressed_recipient_list,
    "createMagnetMailMessage": create_message,
    "editMagnetMailMessage": edit_message,
    "GetMessageDetails": get_message_details,
    "getMessages": get_messages,
    "getMessagesUTC": get_messages_utc,
    "getMessageList": get_message_list,
    "getMessageListUtc": get_message_list_utc,
    "sendEmailToIndividual": send_email_to_individual,
    "sendMessageToGroup": send_message_to_group,
    "getLinkURLs": get_link_urls,
    "CreateEventSignUp": create_event_sign_up,
    "SearchPersonifySubscriptionMappings": search_personify_subscription_mappings,
    "uploadListQueue": upload_list_queue,
    "uploadListQueueTest": upload_list_queue_test,
    "getUploadJobStatus": get_upload_job_status,
    "getUploadJobStatusUTC": get_upload_job_status_utc,
    "UploadListInitialQueue": upload_list_initial_queue,
    "GetUploadInitialQueueJobStatus": get_upload_initial_queue_job_status,
}

# Operations without a session (mm-2).
OPEN_HANDLERS: dict[str, Callable[[Product, Any, Caller], Any]] = {
    "Authenticate": lambda product, request, caller: authenticate(product, request, caller.peer),
    "getErrorDetails": lambda product, request, caller: error_record(request.error_nbr),
}

AVAILABLE = HANDLERS.keys() | OPEN_HANDLERS.keys()


@dataclass
class OpenCall:
    """A call without a session (mm-2): the login that came in by it, and its account."""

    caller_name: str = ""
    account_id: int | None = None


class MagnetMailService:
    """Answers the operations of the contract from the product's records."""

    def __init__(self, product: Product) -> None:
        self._product = product

    def authorise(self, operation: Operation, header: Struct | None, caller: Caller) -> Call | OpenCall:
        """The call behind the session header, or one of the operations that have none (mm-2)."""
        if not operation.header:
            return OpenCall()
        return admit(self._product, cast(mmAuthHeader | None, header), caller.peer)

    def handle(self, operation: Operation, context: Call | OpenCall, request: Struct, caller: Caller) -> Any:
        """The operation's result. Raises Fault for an operation that is not available yet."""
        if isinstance(context, OpenCall):
            result = OPEN_HANDLERS[operation.name](self._product, request, caller)
            if isinstance(result, AuthenticationResult) and result.authenticated:
                context.caller_name = f"{result.user_id}/{result.login_name}"
                context.account_id = result.user_nbr
            return result
        call = context.for_account(getattr(request, "user_id", None))
        handler = HANDLERS.get(operation.name)
        if handler is None:
            told = {"address": caller.peer or "-", "operation": operation.name, "login": call.login.name}
            log.warning("operation is not available", extra={**told, "account": call.login.account_id})
            raise Fault(f"[NotImplemented] {operation.name} is not available yet.")
        return handler(call, request)

    def internal_error(self, error: Exception) -> str:
        """The fault's message for a failure of our own (mm-27)."""
        known = isinstance(error, RecordsUnavailable)
        return f"[InternalError] {RecordsUnavailable.sentence if known else 'The server met an internal error.'}"

    def caller_name(self, context: Call | OpenCall) -> str:
        """Account and login, for the list of calls."""
        if isinstance(context, OpenCall):
            return context.caller_name
        return f"{context.account.name}/{context.identity.login.name}"

    def account_id(self, context: Call | OpenCall) -> int | None:
        """The account of the login, also when the call works for a child of it."""
        return context.account_id if isinstance(context, OpenCall) else context.identity.account.id
