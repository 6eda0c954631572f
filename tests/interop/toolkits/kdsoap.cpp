// KDSoap, one program a contract (MAGNETMAIL or LISTRAK is defined): PROGRAM BASE magnetmail|listrak 1.1|1.2
#include "wsdl.h"
#include <QCoreApplication>
#include <QStringList>
#include <QThread>
#include <cstdio>

static const QString csv = QString::fromUtf8(
    "Id,Mail\nZo\u00eb,zoe@walk.example\nAnn,ann@walk.example\nBob,bob@walk.example\nNobody,nobody\n");

static void print(const QString &line)
{
    puts(line.toUtf8().constData());
}

// Ends the program unless the client's last call succeeded.
template <class Client> static void check(Client &client)
{
    if (client.lastErrorCode() == 0)
        return;
    fputs(client.lastError().toUtf8().constData(), stderr);
    exit(1);
}

// The text of a fault, which KDSoap puts behind its code.
template <class Client> static QString refusal(Client &client)
{
    const QString text = client.lastError();
    return text.mid(text.indexOf("Server was unable"));
}

#ifdef MAGNETMAIL

typedef MagnetMail_x0020_Web_x0020_Service::MagnetMail_x0020_Web_x0020_ServiceSoap Client;
static const QString path = "/mmapi.asmx";

static void setSession(Client &client, const QString &session)
{
    TNS__MmAuthHeader header;
    header.setSessionId(session);
    header.setUser_id("DEMO");
    client.setMmAuthHeader(header);
}

static TNS__AuthenticationResult logOn(Client &client, const QString &password)
{
    TNS__Authenticate question;
    question.setUsername("demo");
    question.setPassword(password);
    const TNS__AuthenticateResponse answer = client.authenticate(question);
    check(client);
    return answer.authenticateResult();
}

static TNS__UploadListResult poll(Client &client, int job)
{
    TNS__GetUploadJobStatus question;
    question.setUser_id("DEMO");
    question.setJobid(job);
    return client.getUploadJobStatus(question).getUploadJobStatusResult();
}

static void walk(Client &client)
{
    const TNS__AuthenticationResult session = logOn(client, "demo");
    print(QString("logon %1 %2").arg(session.authenticated() ? "true" : "false", session.user_id()));
    setSession(client, session.sessionId());
    TNS__AddGroup group;
    group.setUser_id("DEMO");
    group.setGroup_name(QString::fromUtf8("Gr\u00fc\u00dfe"));
    const TNS__SaveResult added = client.addGroup(group).addGroupResult();
    check(client);
    print(QString("group %1 %2").arg(added.error()).arg(added.msg()));
    TNS__UploadListQueue upload;
    upload.setUser_id("DEMO");
    upload.setGroupid(int(added.id()));
    upload.setCsvData(csv);
    upload.setReplace_group(false);
    upload.setUpdate_dups(true);
    upload.setHeader_line(true);
    upload.setMM_1("Custom_Member_Id");
    upload.setMM_2("Email");
    const int job = int(client.uploadListQueue(upload).uploadListQueueResult().jobid());
    check(client);
    TNS__UploadListResult status;
    do {
        QThread::msleep(50);
        status = poll(client, job);
        check(client);
    } while (status.status() < 2);
    print(QString("upload %1 %2 %3 %4")
              .arg(status.status())
              .arg(status.total_records())
              .arg(status.good_records())
              .arg(status.new_added()));
    TNS__GetGroupRecipients page;
    page.setGroupId(int(added.id()));
    page.setPageNumber(1);
    page.setPageCount(10);
    const TNS__GroupRecipients found = client.getGroupRecipients(page).getGroupRecipientsResult();
    check(client);
    QStringList members;
    for (const TNS__GroupRecipient &each : found.recipients().groupRecipient())
        members << each.emailId() + "=" + each.customMemberId();
    members.sort();
    print("members " + members.join(" "));
    print(QString("unknown %1").arg(poll(client, 987654).error()));
    check(client);
    print(QString("wrong %1").arg(logOn(client, "wrong").authenticated() ? "true" : "false"));
    setSession(client, "none");
    poll(client, 1);
    print("refused " + refusal(client));
}

#else

typedef IntegrationService::IntegrationServiceSoap Client;
static const QString path = "/v31/IntegrationService.asmx";

static void setPassword(Client &client, const QString &password)
{
    TNS__WSUser header;
    header.setUserName("demo");
    header.setPassword(password);
    client.setWSUserHeader(header);
}

static TNS__GetProcessStatusResponse poll(Client &client, int process)
{
    TNS__GetProcessStatus question;
    question.setProcessID(process);
    return client.getProcessStatus(question);
}

static void walk(Client &client)
{
    setPassword(client, "demo");
    TNS__CreateContactList list;
    list.setListName(QString::fromUtf8("K\u00fcche"));
    list.setBounceHandling(1);
    list.setBounceUnsubscribeCount(3);
    const TNS__WSContactList made = client.createContactList(list).wSContactList();
    check(client);
    print("list " + made.listName());
    TNS__WSImportDirectives directives;
    directives.setImportTypeEnum(TNS__ImportTypeEnum::AddSubscribers);
    directives.setImportProfileTypeEnum(TNS__ImportProfileTypeEnum::Update);
    directives.setFileName("walk.csv");
    directives.setHasColumnNames(true);
    directives.setFileDelimiter(",");
    directives.setTextQualifier("\"");
    TNS__WSFileMappings mapping;
    mapping.setFileColumn(1);
    mapping.setIsEmailAddressColumn(true);
    TNS__ArrayOfWSFileMappings mappings;
    mappings.setWSFileMappings(QList<TNS__WSFileMappings>() << mapping);
    TNS__BulkLoadContacts load;
    load.setListID(made.listID());
    load.setWSImportDirectives(directives);
    load.setFileMappings(mappings);
    load.setImportFileStream(csv.toUtf8());
    const int process = client.bulkLoadContacts(load).bulkLoadContactsResult();
    check(client);
    TNS__WSProcessStatus status;
    do {
        QThread::msleep(50);
        status = poll(client, process).wSProcessStatus();
        check(client);
    } while (status.status() != TNS__StatusEnum::ProcessingCompleted);
    print("process " + status.processName() + " ProcessingCompleted");
    TNS__ReportSubscribedContacts page;
    page.setListID(made.listID());
    page.setPage(1);
    QStringList members;
    for (const TNS__WSContactSubscriptionInfo &each :
         client.reportSubscribedContacts(page).reportSubscribedContactsResult().wSContactSubscriptionInfo())
        members << each.emailAddress();
    check(client);
    members.sort();
    print("members " + members.join(" "));
    TNS__GetLegacyProcessStatus question;
    question.setListID(1);
    QStringList legacy;
    for (const TNS__WSLegacyProcessStatus &each :
         client.getLegacyProcessStatus(question).getLegacyProcessStatusResult().wSLegacyProcessStatus())
        legacy << QString("%1:%2/%3").arg(each.processType()).arg(each.currentStep()).arg(each.maxStep());
    check(client);
    print("legacy " + legacy.join(" "));
    print(poll(client, 987654).wSProcessStatus().processID() ? "unknown something" : "unknown None");
    check(client);
    setPassword(client, "wrong");
    poll(client, 1);
    print("refused " + refusal(client));
}

#endif

int main(int argc, char **argv)
{
    QCoreApplication app(argc, argv);
    Client client;
    client.setEndPoint(QString(argv[1]) + path);
    client.setSoapVersion(
        QString(argv[3]) == "1.1" ? KDSoapClientInterface::SOAP1_1 : KDSoapClientInterface::SOAP1_2);
    walk(client);
}
