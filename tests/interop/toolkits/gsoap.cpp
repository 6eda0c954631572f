// gSOAP, one program a contract (MAGNETMAIL or LISTRAK is defined): PROGRAM BASE magnetmail|listrak 1.1|1.2
#include <algorithm>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>
#ifdef MAGNETMAIL
#include "soapMagnetMail_USCOREx0020_USCOREWeb_USCOREx0020_USCOREServiceSoapProxy.h"
#include "MagnetMail_USCOREx0020_USCOREWeb_USCOREx0020_USCOREServiceSoap.nsmap"
typedef MagnetMail_USCOREx0020_USCOREWeb_USCOREx0020_USCOREServiceSoapProxy Proxy;
#else
#include "soapIntegrationServiceSoapProxy.h"
#include "IntegrationServiceSoap.nsmap"
typedef IntegrationServiceSoapProxy Proxy;
#endif

static const std::string csv =
    "Id,Mail\nZo\u00eb,zoe@walk.example\nAnn,ann@walk.example\nBob,bob@walk.example\nNobody,nobody\n";

static Proxy *client;

// A text as generated members hold it; it lives as long as the client.
static std::string *text(const std::string &value)
{
    std::string *held = soap_new_std__string(client->soap);
    *held = value;
    return held;
}

// Ends the program unless a call succeeded.
static void check(int error)
{
    if (error == SOAP_OK)
        return;
    soap_stream_fault(client->soap, std::cerr);
    exit(1);
}

static void print_members(std::vector<std::string> members)
{
    std::sort(members.begin(), members.end());
    std::cout << "members";
    for (const std::string &member : members)
        std::cout << ' ' << member;
    std::cout << '\n';
}

#ifdef MAGNETMAIL

static void set_header(const std::string &session)
{
    ns1__mmAuthHeader *header = soap_new_ns1__mmAuthHeader(client->soap);
    header->sessionId = text(session);
    header->user_USCOREid = text("DEMO");
    client->soap_header(header);
}

static ns1__AuthenticationResult *log_on(const std::string &password)
{
    _ns1__Authenticate question;
    static _ns1__AuthenticateResponse answer;
    question.username = text("demo");
    question.password = text(password);
    check(client->Authenticate(&question, answer));
    return answer.AuthenticateResult;
}

static int poll(int number, ns1__UploadListResult *&status)
{
    _ns1__getUploadJobStatus question;
    static _ns1__getUploadJobStatusResponse answer;
    question.user_USCOREid = text("DEMO");
    question.jobid = number;
    int error = client->getUploadJobStatus(&question, answer);
    status = answer.getUploadJobStatusResult;
    return error;
}

static void walk()
{
    ns1__AuthenticationResult *session = log_on("demo");
    std::cout << "logon " << (session->authenticated ? "true " : "false ") << *session->user_USCOREid << '\n';
    set_header(*session->sessionId);
    _ns1__addGroup group;
    _ns1__addGroupResponse added;
    group.user_USCOREid = text("DEMO");
    group.group_USCOREname = text("Gr\u00fc\u00dfe");
    group.categoryId = 0;
    check(client->addGroup(&group, added));
    std::cout << "group " << *added.addGroupResult->error << ' ' << *added.addGroupResult->msg << '\n';
    set_header(*session->sessionId);
    _ns1__uploadListQueue upload;
    _ns1__uploadListQueueResponse queued;
    upload.user_USCOREid = text("DEMO");
    upload.groupid = (int)*added.addGroupResult->id;
    upload.csvData = text(csv);
    upload.replace_USCOREgroup = false;
    upload.update_USCOREdups = true;
    upload.header_USCOREline = true;
    upload.MM_USCORE1 = text("Custom_Member_Id");
    upload.MM_USCORE2 = text("Email");
    check(client->uploadListQueue(&upload, queued));
    ns1__UploadListResult *status;
    do {
        usleep(50000);
        set_header(*session->sessionId);
        check(poll((int)*queued.uploadListQueueResult->jobid, status));
    } while (*status->status < 2);
    std::cout << "upload " << *status->status << ' ' << *status->total_USCORErecords << ' '
              << *status->good_USCORErecords << ' ' << *status->new_USCOREadded << '\n';
    set_header(*session->sessionId);
    _ns1__getGroupRecipients page;
    _ns1__getGroupRecipientsResponse found;
    page.groupId = upload.groupid;
    page.pageNumber = 1;
    page.pageCount = 10;
    check(client->getGroupRecipients(&page, found));
    std::vector<std::string> members;
    for (ns1__GroupRecipient *each : found.getGroupRecipientsResult->recipients->GroupRecipient)
        members.push_back(*each->EmailId + "=" + *each->CustomMemberId);
    print_members(members);
    set_header(*session->sessionId);
    check(poll(987654, status));
    std::cout << "unknown " << *status->error << '\n';
    client->soap_noheader();
    std::cout << "wrong " << (log_on("wrong")->authenticated ? "true" : "false") << '\n';
    set_header("none");
    if (poll(1, status) != SOAP_OK)
        std::cout << "refused " << client->soap_fault_string() << '\n';
}

#else

static void set_header(const std::string &password)
{
    ns1__WSUser *header = soap_new_ns1__WSUser(client->soap);
    header->UserName = text("demo");
    header->Password = text(password);
    client->soap_header(header);
}

static int poll(int number, ns1__WSProcessStatus *&status)
{
    _ns1__GetProcessStatus question;
    static _ns1__GetProcessStatusResponse answer;
    question.ProcessID = number;
    int error = client->GetProcessStatus(&question, answer);
    status = answer.WSProcessStatus;
    return error;
}

static void walk()
{
    set_header("demo");
    _ns1__CreateContactList list;
    _ns1__CreateContactListResponse made;
    list.soap_default(client->soap);
    list.ListName = text("K\u00fcche");
    list.BounceHandling = 1;
    list.BounceUnsubscribeCount = 3;
    check(client->CreateContactList(&list, made));
    std::cout << "list " << *made.WSContactList->ListName << '\n';
    ns1__WSImportDirectives directives;
    directives.soap_default(client->soap);
    directives.ImportTypeEnum = ns1__ImportTypeEnum__AddSubscribers;
    directives.ImportProfileTypeEnum = ns1__ImportProfileTypeEnum__Update;
    directives.FileName = text("walk.csv");
    directives.HasColumnNames = true;
    directives.FileDelimiter = text(",");
    directives.TextQualifier = text("\"");
    ns1__WSFileMappings mapping;
    mapping.soap_default(client->soap);
    mapping.FileColumn = 1;
    mapping.IsEmailAddressColumn = true;
    ns1__ArrayOfWSFileMappings mappings;
    mappings.WSFileMappings.push_back(&mapping);
    xsd__base64Binary file;
    file.soap_default(client->soap);
    file.__ptr = (unsigned char *)csv.data();
    file.__size = (int)csv.size();
    _ns1__BulkLoadContacts load;
    _ns1__BulkLoadContactsResponse loaded;
    load.ListID = made.WSContactList->ListID;
    load.WSImportDirectives = &directives;
    load.fileMappings = &mappings;
    load.ImportFileStream = &file;
    set_header("demo");
    check(client->BulkLoadContacts(&load, loaded));
    ns1__WSProcessStatus *status;
    do {
        usleep(50000);
        set_header("demo");
        check(poll(loaded.BulkLoadContactsResult, status));
    } while (status->Status != ns1__StatusEnum__ProcessingCompleted);
    std::cout << "process " << *status->ProcessName << " ProcessingCompleted\n";
    set_header("demo");
    _ns1__ReportSubscribedContacts page;
    _ns1__ReportSubscribedContactsResponse found;
    page.ListID = load.ListID;
    page.Page = 1;
    page.WSException = NULL;
    check(client->ReportSubscribedContacts(&page, found));
    std::vector<std::string> members;
    for (ns1__WSContactSubscriptionInfo *each : found.ReportSubscribedContactsResult->WSContactSubscriptionInfo)
        members.push_back(*each->EmailAddress);
    print_members(members);
    set_header("demo");
    _ns1__GetLegacyProcessStatus question;
    _ns1__GetLegacyProcessStatusResponse legacy;
    question.ListID = 1;
    check(client->GetLegacyProcessStatus(&question, legacy));
    std::cout << "legacy";
    for (ns1__WSLegacyProcessStatus *each : legacy.GetLegacyProcessStatusResult->WSLegacyProcessStatus)
        std::cout << ' ' << *each->ProcessType << ':' << each->CurrentStep << '/' << each->MaxStep;
    std::cout << '\n';
    set_header("demo");
    check(poll(987654, status));
    std::cout << "unknown " << (status ? "something" : "None") << '\n';
    set_header("wrong");
    if (poll(1, status) != SOAP_OK)
        std::cout << "refused " << client->soap_fault_string() << '\n';
}

#endif

int main(int, char **arguments)
{
    client = new Proxy(SOAP_C_UTFSTRING);
    if (std::string(arguments[3]) == "1.1") {
        // The description's last port is that of SOAP 1.2, so gSOAP takes this version unless soapcpp2 is told -1.
        namespaces[0].ns = "http://schemas.xmlsoap.org/soap/envelope/";
        namespaces[1].ns = "http://schemas.xmlsoap.org/soap/encoding/";
        soap_set_namespaces(client->soap, namespaces);
    }
    std::string endpoint = arguments[1];
#ifdef MAGNETMAIL
    endpoint += "/mmapi.asmx";
#else
    endpoint += "/v31/IntegrationService.asmx";
#endif
    client->soap_endpoint = endpoint.c_str();
    walk();
}
