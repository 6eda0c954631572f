# soap4r, with a driver made from the description at run time: soap4r.rb BASE magnetmail|listrak 1.1
require 'base64'
require 'soap/header/simplehandler'
require 'soap/wsdlDriver'

base, contract, = ARGV
CSV_TEXT = "Id,Mail\nZoë,zoe@walk.example\nAnn,ann@walk.example\nBob,bob@walk.example\nNobody,nobody\n"

# The header of a contract with its members.
class Header < SOAP::Header::SimpleHandler
  attr_writer :members

  def initialize(namespace, name)
    super(XSD::QName.new(namespace, name))
    @members = nil
  end

  def on_simple_outbound
    @members
  end
end

# Returns the driver of a contract and its header.
def open_contract(url, namespace, name)
  driver = SOAP::WSDLDriverFactory.new("#{url}?WSDL").create_rpc_driver
  header = Header.new(namespace, name)
  driver.headerhandler << header
  [driver, header]
end

def rows(found)
  found.is_a?(Array) ? found : [found].compact
end

def print_refusal
  yield
rescue SOAP::FaultError => fault
  puts "refused #{fault.faultstring.data}"
end

if contract == 'magnetmail'
  mm, header = open_contract("#{base}/mmapi.asmx", 'http://www.magnetmail.net/', 'mmAuthHeader')
  session = mm.Authenticate('username' => 'demo', 'password' => 'demo').authenticateResult
  puts "logon #{session.authenticated} #{session.user_id}"
  header.members = { 'sessionId' => session.sessionId, 'user_id' => 'DEMO' }
  group = mm.addGroup('user_id' => 'DEMO', 'group_name' => 'Grüße', 'categoryId' => 0).addGroupResult
  puts "group #{group.error} #{group.msg}"
  queued = mm.uploadListQueue(
    'user_id' => 'DEMO', 'groupid' => group.id, 'csvData' => CSV_TEXT, 'replace_group' => false, 'update_dups' => true,
    'header_line' => true, 'MM_1' => 'Custom_Member_Id', 'MM_2' => 'Email'
  ).uploadListQueueResult
  poll = ->(job) { mm.getUploadJobStatus('user_id' => 'DEMO', 'jobid' => job).getUploadJobStatusResult }
  begin
    sleep 0.05
    status = poll.call(queued.jobid)
  end while status.status.to_i < 2
  puts "upload #{status.status} #{status.total_records} #{status.good_records} #{status.new_added}"
  page = { 'groupId' => group.id, 'pageNumber' => 1, 'pageCount' => 10 }
  people = rows(mm.getGroupRecipients(page).getGroupRecipientsResult.recipients.groupRecipient)
  puts "members #{people.map { |each| "#{each.emailId}=#{each.customMemberId}" }.sort.join(' ')}"
  puts "unknown #{poll.call(987_654)['error']}"
  wrong = mm.Authenticate('username' => 'demo', 'password' => 'wrong').authenticateResult
  puts "wrong #{wrong.authenticated}"
  header.members = { 'sessionId' => 'none', 'user_id' => 'DEMO' }
  print_refusal { poll.call(1) }
else
  namespace = 'http://webservices.listrak.com/v31/'
  lk, header = open_contract("#{base}/v31/IntegrationService.asmx", namespace, 'WSUser')
  header.members = { 'UserName' => 'demo', 'Password' => 'demo' }
  switches = %w[
    EnableRemovalLink EnableBrowserLink EnableDoubleOptin EnableListHygiene ShowEmailList ShowAdvancedPersonalization
    EnableRSS EnableGoogleAnalytics EnableInternationalization EnableDynamicContent EnableListRemoveHeader
  ].to_h { |name| [name, false] }
  numbers = { 'BounceHandling' => 1, 'VmtaID' => 0, 'BounceUnsubscribeCount' => 3 }
  list = lk.CreateContactList({ 'ListName' => 'Küche' }.merge(switches, numbers)).wSContactList
  puts "list #{list.listName}"
  process = lk.BulkLoadContacts(
    'ListID' => list.listID,
    'WSImportDirectives' => {
      'ImportTypeEnum' => 'AddSubscribers', 'ImportProfileTypeEnum' => 'Update', 'FileName' => 'walk.csv',
      'HasColumnNames' => true, 'FileDelimiter' => ',', 'TextQualifier' => '"'
    },
    'fileMappings' => {
      'WSFileMappings' => [{ 'AttributeID' => 0, 'FileColumn' => 1, 'IsEmailAddressColumn' => true }]
    },
    # soap4r sends the text of a base64 member as it is.
    'ImportFileStream' => Base64.strict_encode64(CSV_TEXT)
  ).bulkLoadContactsResult
  begin
    sleep 0.05
    status = lk.GetProcessStatus('ProcessID' => process).wSProcessStatus
  end while status.status != 'ProcessingCompleted'
  puts "process #{status.processName} #{status.status}"
  page = { 'ListID' => list.listID, 'Page' => 1, 'WSException' => nil }
  people = rows(lk.ReportSubscribedContacts(page).reportSubscribedContactsResult.wSContactSubscriptionInfo)
  puts "members #{people.map(&:emailAddress).sort.join(' ')}"
  legacy = rows(lk.GetLegacyProcessStatus('ListID' => 1).getLegacyProcessStatusResult.wSLegacyProcessStatus)
  puts "legacy #{legacy.map { |each| "#{each.processType}:#{each.currentStep}/#{each.maxStep}" }.join(' ')}"
  unknown = lk.GetProcessStatus('ProcessID' => 987_654)
  puts "unknown #{unknown.respond_to?(:wSProcessStatus) && unknown.wSProcessStatus ? 'something' : 'None'}"
  header.members = { 'UserName' => 'demo', 'Password' => 'wrong' }
  print_refusal { lk.GetProcessStatus('ProcessID' => 1) }
end
