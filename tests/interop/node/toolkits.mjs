// Packages of Node.js: toolkits.mjs strong-soap|soap-extended BASE magnetmail|listrak 1.1|1.2

import { setTimeout as sleep } from 'node:timers/promises';

const [library, base, contract, version] = process.argv.slice(2);
const { soap = (await import(library)).default } = await import(library);
const csv = 'Id,Mail\nZoë,zoe@walk.example\nAnn,ann@walk.example\nBob,bob@walk.example\nNobody,nobody\n';

function faultText(error) {
  const body = error.root?.Envelope?.Body ?? error.Fault ?? {};
  const found = body.Fault ?? body;
  const text = found.faultstring ?? found.Reason?.Text ?? error.message;
  return typeof text === 'object' ? text.$value : text;
}

// Returns a function that makes a client of a contract with these members in its header.
async function contractAt(path, namespace, header) {
  const options = { disableCache: true, forceSoap12Headers: version === '1.2' };
  const client = await new Promise((resolve, reject) => {
    soap.createClient(`${base}${path}?WSDL`, options, (error, made) => (error ? reject(error) : resolve(made)));
  });
  // strong-soap's own operations belong to the last port of the description, which is that of SOAP 1.2.
  const [ports] = Object.values(client.describe());
  const port = Object.keys(ports).find((name) => name.endsWith('Soap12') === (version === '1.2'));
  const [service] = Object.values(client).filter((value) => value?.[port]);
  return (members) => {
    client.clearSoapHeaders();
    if (library === 'strong-soap') client.addSoapHeader(members, new soap.QName(namespace, header));
    else client.addSoapHeader({ [header]: members }, '', 'tns', namespace);
    return (operation, given) =>
      new Promise((resolve, reject) => {
        service[port][operation](given, (error, result) => (error ? reject(error) : resolve(result)));
      });
  };
}

const rows = (found) => (Array.isArray(found) ? found : found ? [found] : []);

async function magnetmail() {
  const open = await contractAt('/mmapi.asmx', 'http://www.magnetmail.net/', 'mmAuthHeader');
  let call = open({ sessionId: '', user_id: '' });
  const session = (await call('Authenticate', { username: 'demo', password: 'demo' })).AuthenticateResult;
  console.log('logon', session.authenticated, session.user_id);
  call = open({ sessionId: session.sessionId, user_id: 'DEMO' });
  const group = (await call('addGroup', { user_id: 'DEMO', group_name: 'Grüße', categoryId: 0 })).addGroupResult;
  console.log('group', group.error, group.msg);
  const queued = await call('uploadListQueue', {
    user_id: 'DEMO',
    groupid: group.id,
    csvData: csv,
    replace_group: false,
    update_dups: true,
    header_line: true,
    MM_1: 'Custom_Member_Id',
    MM_2: 'Email',
  });
  const job = { user_id: 'DEMO', jobid: queued.uploadListQueueResult.jobid };
  let status;
  do {
    await sleep(50);
    status = (await call('getUploadJobStatus', job)).getUploadJobStatusResult;
  } while (status.status < 2);
  console.log('upload', status.status, status.total_records, status.good_records, status.new_added);
  const found = await call('getGroupRecipients', { groupId: group.id, pageNumber: 1, pageCount: 10 });
  const members = rows(found.getGroupRecipientsResult.recipients.GroupRecipient);
  console.log('members', ...members.map((each) => `${each.EmailId}=${each.CustomMemberId}`).sort());
  const unknown = await call('getUploadJobStatus', { user_id: 'DEMO', jobid: 987654 });
  console.log('unknown', unknown.getUploadJobStatusResult.error);
  const wrong = await call('Authenticate', { username: 'demo', password: 'wrong' });
  console.log('wrong', wrong.AuthenticateResult.authenticated);
  try {
    await open({ sessionId: 'none', user_id: 'DEMO' })('getUploadJobStatus', { user_id: 'DEMO', jobid: 1 });
  } catch (error) {
    console.log('refused', faultText(error));
  }
}

async function listrak() {
  const open = await contractAt('/v31/IntegrationService.asmx', 'http://webservices.listrak.com/v31/', 'WSUser');
  const call = open({ UserName: 'demo', Password: 'demo' });
  const made = await call('CreateContactList', {
    ListName: 'Küche',
    EnableRemovalLink: false,
    EnableBrowserLink: false,
    BounceHandling: 1,
    EnableDoubleOptin: false,
    EnableListHygiene: false,
    VmtaID: 0,
    ShowEmailList: false,
    ShowAdvancedPersonalization: false,
    BounceUnsubscribeCount: 3,
    EnableRSS: false,
    EnableGoogleAnalytics: false,
    EnableInternationalization: false,
    EnableDynamicContent: false,
    EnableListRemoveHeader: false,
  });
  const list = made.WSContactList;
  console.log('list', list.ListName);
  const { BulkLoadContactsResult: ProcessID } = await call('BulkLoadContacts', {
    ListID: list.ListID,
    WSImportDirectives: {
      ImportTypeEnum: 'AddSubscribers',
      ImportProfileTypeEnum: 'Update',
      FileName: 'walk.csv',
      HasColumnNames: true,
      FileDelimiter: ',',
      TextQualifier: '"',
    },
    fileMappings: { WSFileMappings: [{ AttributeID: 0, FileColumn: 1, IsEmailAddressColumn: true }] },
    ImportFileStream: Buffer.from(csv).toString('base64'),
  });
  let status;
  do {
    await sleep(50);
    status = (await call('GetProcessStatus', { ProcessID })).WSProcessStatus;
  } while (status.Status !== 'ProcessingCompleted');
  console.log('process', status.ProcessName, status.Status);
  const found = await call('ReportSubscribedContacts', { ListID: list.ListID, Page: 1, WSException: null });
  const people = rows(found.ReportSubscribedContactsResult.WSContactSubscriptionInfo);
  console.log('members', ...people.map((each) => each.EmailAddress).sort());
  const legacy = await call('GetLegacyProcessStatus', { ListID: 1 });
  const [answer] = Object.values(legacy);
  const processes = rows(answer.WSLegacyProcessStatus);
  console.log('legacy', ...processes.map((each) => `${each.ProcessType}:${each.CurrentStep}/${each.MaxStep}`));
  console.log('unknown', (await call('GetProcessStatus', { ProcessID: 987654 }))?.WSProcessStatus ? 'something' : 'None');
  try {
    await open({ UserName: 'demo', Password: 'wrong' })('GetProcessStatus', { ProcessID: 1 });
  } catch (error) {
    console.log('refused', faultText(error));
  }
}

await { magnetmail, listrak }[contract]();
