"""The Listrak contract: all of its operations, in the original's order.

Its port type lists the same sequence, turned so that ReportImportContactDetail comes first.
"""

from soapstone.listrak.operations.conductor import CONDUCTOR_OPERATIONS
from soapstone.listrak.operations.contacts import CONTACT_OPERATIONS
from soapstone.listrak.operations.conversation_reports import CONVERSATION_REPORTS
from soapstone.listrak.operations.imports import IMPORT_OPERATIONS
from soapstone.listrak.operations.list_reports import LIST_REPORTS
from soapstone.listrak.operations.lists import LIST_OPERATIONS
from soapstone.listrak.operations.location_reports import LOCATION_REPORTS
from soapstone.listrak.operations.message_reports import MESSAGE_REPORTS
from soapstone.listrak.operations.messages import MESSAGE_OPERATIONS
from soapstone.listrak.operations.processes import PROCESS_OPERATIONS
from soapstone.listrak.operations.profiles import PROFILE_OPERATIONS
from soapstone.listrak.types.common import WSUser
from soapstone.wire.contract import Contract

_DECLARED = {
    operation.name: operation
    for operation in (
        *IMPORT_OPERATIONS,
        *PROCESS_OPERATIONS,
        *LIST_OPERATIONS,
        *PROFILE_OPERATIONS,
        *CONTACT_OPERATIONS,
        *MESSAGE_OPERATIONS,
        *LIST_REPORTS,
        *MESSAGE_REPORTS,
        *LOCATION_REPORTS,
        *CONDUCTOR_OPERATIONS,
        *CONVERSATION_REPORTS,
    )
}

# The service description and the generated clients keep this order.
_PORT_TYPE = (
    "BulkLoadContacts",
    "BulkLoadContactsWithOptions",
    "UpdateSubscribedContactAttribute",
    "UpdateSubscribedContactAttributeWithOptions",
    "GetProcessStatus",
    "GetMessageStatus",
    "GetLegacyProcessStatus",
    "ConductorBulkLoadAndTriggerContacts",
    "ConductorBulkLoadAndTriggerContactsWithOptions",
    "ConductorGetExternalEvents",
    "ConductorGetConversations",
    "GetAccountVmtaCollection",
    "GetContactList",
    "GetContactListCollection",
    "CreateContactList",
    "UpdateContactList",
    "CreateList",
    "AddGoogleTrackingDomainsToList",
    "DeleteGoogleTrackingDomainsFromList",
    "DeleteContactList",
    "GetProfileHeaderCollection",
    "CreateProfileHeader",
    "UpdateProfileHeader",
    "DeleteProfileHeader",
    "CreateProfileAttribute",
    "UpdateProfileAttribute",
    "DeleteProfileAttribute",
    "GetContact",
    "GetContactByEmailKey",
    "SetContact",
    "SendTransactionalMessage",
    "GetTransactionalMessageCollection",
    "UpdateContact",
    "SubscribeFormPassThrough",
    "ChangeContactEmailAddress",
    "SubscribeContact",
    "UnsubscribeContact",
    "GetMessageAnalyticsInformation",
    "GetSpamScore",
    "ScheduleSendListMessage",
    "ScheduleSendListMessageWithProfileFilter",
    "SendListMessage",
    "SendListMessageWithProfileFilter",
    "SendListMessageTest",
    "SendListMessageReview",
    "GetCampaignCollection",
    "GetCharacterSetCollection",
    "SendSavedMessage",
    "SendSavedMessageTest",
    "GetSavedMessageCollection",
    "GetFilteredListCount",
    "ReportSubscribedContacts",
    "ReportRangeSubscribedContacts",
    "ReportAdminContactFeedbackLoop",
    "ReportMessageContactSent",
    "ReportMessageContactOpen",
    "ReportRangeMessageContactOpen",
    "ReportMessageContactRead",
    "ReportRangeMessageContactRead",
    "ReportMessageContactClick",
    "ReportRangeMessageContactClick",
    "ReportMessageContactPassalong",
    "ReportRangeMessageContactPassalong",
    "ReportMessageContactBounces",
    "ReportRangeMessageContactBounces",
    "ReportListMessageActivity",
    "ReportListMessageDelivery",
    "ReportListContactRemoval",
    "ReportRangeListContactRemoval",
    "ReportListContactHygiene",
    "ReportRangeListContactHygiene",
    "ReportMessageLinkClick",
    "ReportContactLinkClick",
    "ReportMessageLocationClick",
    "ReportMessageLocationOpen",
    "ReportMessageLocationRead",
    "ReportMessageLocationContactClick",
    "ReportMessageLocationContactOpen",
    "ReportMessageLocationContactRead",
    "ReportMessageContactActivity",
    "ReportRangeMessageContactRemoval",
    "ReportMessageContactRemoval",
    "ReportContactMessageActivity",
    "ReportListImportHistory",
    "ReportImportContactDetail",
    "ReportListConversationActivity",
    "ReportListConversationDelivery",
    "ReportConversationContactDelivery",
    "ReportConversationContactRemoval",
    "ReportConversationContactOpen",
    "ReportConversationContactRead",
    "ReportConversationLinkClick",
    "ReportConversationContactBounce",
    "ReportConversationLocationContactOpen",
    "ReportConversationLocationContactRead",
    "ReportConversationLocationContactClick",
    "GetSystemIDFromPublicID",
)

CONTRACT = Contract(
    name="IntegrationService",
    namespace="http://webservices.listrak.com/v31/",
    path="/v31/IntegrationService.asmx",
    header=WSUser,
    soap_heading="separate",
    operations=tuple(_DECLARED[name] for name in _PORT_TYPE),
)
