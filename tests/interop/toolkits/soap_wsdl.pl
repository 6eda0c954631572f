# SOAP::WSDL, with the interface of its wsdl2perl in the folder FOLDER: soap_wsdl.pl FOLDER BASE listrak 1.1
use strict;
use warnings;
use utf8;
use open qw(:std :encoding(UTF-8));
use Encode qw(encode);
use MIME::Base64;
use Time::HiRes qw(sleep);

my ($folder, $base) = @ARGV;
push @INC, $folder;
require WalkInterfaces::IntegrationService::IntegrationServiceSoap;
my $csv = "Id,Mail\nZoë,zoe\@walk.example\nAnn,ann\@walk.example\nBob,bob\@walk.example\nNobody,nobody\n";
my $client = WalkInterfaces::IntegrationService::IntegrationServiceSoap->new(
    { proxy => ["$base/v31/IntegrationService.asmx"] });

# Returns the response of a call, or its fault, which is false.
sub call {
    my ($operation, $members, $password) = @_;
    return $client->$operation($members, { UserName => 'demo', Password => $password // 'demo' });
}

# Returns the items of an array; a single one comes alone.
sub items { return map { ref $_ eq 'ARRAY' ? @$_ : $_ } @_; }

my @switches = qw(
    EnableRemovalLink EnableBrowserLink EnableDoubleOptin EnableListHygiene ShowEmailList ShowAdvancedPersonalization
    EnableRSS EnableGoogleAnalytics EnableInternationalization EnableDynamicContent EnableListRemoveHeader);
my $made = call('CreateContactList', {
    ListName => 'Küche', BounceHandling => 1, VmtaID => 0, BounceUnsubscribeCount => 3, map { $_ => 'false' } @switches });
die $made unless $made;
my $list = $made->get_WSContactList;
print 'list ', $list->get_ListName, "\n";
my $loaded = call('BulkLoadContacts', {
    ListID => $list->get_ListID->get_value,
    WSImportDirectives => {
        ImportTypeEnum => 'AddSubscribers', ImportProfileTypeEnum => 'Update', FileName => 'walk.csv',
        HasColumnNames => 'true', FileDelimiter => ',', TextQualifier => '"' },
    fileMappings => { WSFileMappings => [{ AttributeID => 0, FileColumn => 1, IsEmailAddressColumn => 'true' }] },
    ImportFileStream => encode_base64(encode('UTF-8', $csv), '') });
die $loaded unless $loaded;
my $status;
do {
    sleep 0.05;
    $status = call('GetProcessStatus', { ProcessID => $loaded->get_BulkLoadContactsResult->get_value })->get_WSProcessStatus;
} until $status->get_Status eq 'ProcessingCompleted';
print 'process ', $status->get_ProcessName, ' ', $status->get_Status, "\n";
my $page = call('ReportSubscribedContacts', { ListID => $list->get_ListID->get_value, Page => 1 });
my @found = items($page->get_ReportSubscribedContactsResult->get_WSContactSubscriptionInfo);
print join(' ', 'members', sort map { $_->get_EmailAddress } @found), "\n";
my $legacy = call('GetLegacyProcessStatus', { ListID => 1 })->get_GetLegacyProcessStatusResult;
my @rows = map { $_->get_ProcessType . ':' . $_->get_CurrentStep . '/' . $_->get_MaxStep }
    items($legacy->get_WSLegacyProcessStatus);
print join(' ', 'legacy', @rows), "\n";
my $unknown = call('GetProcessStatus', { ProcessID => 987654 })->get_WSProcessStatus;
print 'unknown ', $unknown && $unknown->get_ProcessID ? 'something' : 'None', "\n";
my $refused = call('GetProcessStatus', { ProcessID => 1 }, 'wrong');
print 'refused ', $refused->get_faultstring, "\n" unless $refused;
