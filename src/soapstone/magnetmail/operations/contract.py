"""The MagnetMail contract: all of its operations, in the order of the original port type."""

from soapstone.magnetmail.operations.events import EVENT_OPERATIONS
from soapstone.magnetmail.operations.groups import GROUP_OPERATIONS
from soapstone.magnetmail.operations.messages import MESSAGE_OPERATIONS
from soapstone.magnetmail.operations.recipients import RECIPIENT_OPERATIONS
from soapstone.magnetmail.operations.sends import SEND_OPERATIONS
from soapstone.magnetmail.operations.sessions import SESSION_OPERATIONS
from soapstone.magnetmail.operations.tracking import TRACKING_OPERATIONS
from soapstone.magnetmail.operations.unsubscribes import UNSUBSCRIBE_OPERATIONS
from soapstone.magnetmail.operations.uploads import UPLOAD_OPERATIONS
from soapstone.magnetmail.types.sessions import mmAuthHeader
from soapstone.wire.contract import Contract

_DECLARED = {
    operation.name: operation
    for operation in (
        *SESSION_OPERATIONS,
        *GROUP_OPERATIONS,
        *RECIPIENT_OPERATIONS,
        *MESSAGE_OPERATIONS,
        *SEND_OPERATIONS,
        *TRACKING_OPERATIONS,
        *UNSUBSCRIBE_OPERATIONS,
        *UPLOAD_OPERATIONS,
        *EVENT_OPERATIONS,
    )
}

# The service description and the generated clients keep this order.
_PORT_TYPE = (
    "sendEmailToIndividual",
    "sendMessageToGroup",
    "getRecipientHistory",
    "getUnsubscribes",
    "getSpamComplaints",
    "getRecipientDetails",
    "getUserDetails",
    "getMessages",
    "getMessagesUTC",
    "getLinkURLs",
    "getOverallTracking",
    "getDetailedTracking",
    "getDetailedTrackingUTC",
    "addGroup",
    "getGroups",
    "getGroupsUTC",
    "uploadListQueue",
    "uploadListQueueTest",
    "getUploadJobStatus",
    "getUploadJobStatusUTC",
    "getRecipientFields",
    "editRecipientGroups",
    "editRecipient",
    "addRecipient",
    "createMagnetMailMessage",
    "editMagnetMailMessage",
    "getSavedSearches",
    "runSavedSearch",
    "getSubscribedRecipients",
    "getErrorDetails",
    "uploadSuppressionList",
    "getSuppressedRecipientList",
    "getRecipientGroups",
    "searchForRecipients",
    "Authenticate",
    "getTrackingData",
    "getMessageList",
    "getMessageListUtc",
    "unsubscribeRecipients",
    "getGroupDetails",
    "getGroupRecipients",
    "getGroupRecipientsCount",
    "GetMessageLinkTracking",
    "GetMessageSentTracking",
    "GetMessageOpenTracking",
    "GetUnsubscribeTracking",
    "GetMessageDetails",
    "SearchPersonifySubscriptionMappings",
    "GetMessageCategory",
    "GetGroupCategory",
    "GetAllGroupCategories",
    "UploadListInitialQueue",
    "GetEnhancedPersonalizedFields",
    "GetUploadInitialQueueJobStatus",
    "CreateEventSignUp",
)

CONTRACT = Contract(
    name="MagnetMail Web Service",
    namespace="http://www.magnetmail.net/",
    path="/mmapi.asmx",
    header=mmAuthHeader,
    soap_heading="shared",
    operations=tuple(_DECLARED[name] for name in _PORT_TYPE),
)
