# SOAP::Lite, without the description: soap_lite.pl BASE magnetmail|listrak 1.1|1.2
use strict;
use warnings;
use utf8;
use open qw(:std :encoding(UTF-8));
use SOAP::Lite;
use Time::HiRes qw(sleep);

my ($base, $contract, $version) = @ARGV;
my $csv = "Id,Mail\nZoë,zoe\@walk.example\nAnn,ann\@walk.example\nBob,bob\@walk.example\nNobody,nobody\n";

# The version is the class's, not the client's.
SOAP::Lite->soapversion($version);

sub client {
    my ($path, $namespace) = @_;
    my $made = SOAP::Lite->new->proxy("$base$path")->default_ns($namespace)->autotype(0);
    $made->on_action(sub { '"' . $namespace . $_[1] . '"' });
    return $made;
}

sub data { return map { SOAP::Data->name(@$_) } @_; }

my $refused;

# Returns the result of a call; nothing after a fault, whose text is in $refused.
sub call {
    my ($client, $header, $operation, @members) = @_;
    my $answer = $client->call($operation, data(@members), $header ? ($header) : ());
    # In SOAP 1.2 its own members of a fault are not defined.
    $refused = $answer->fault ? $answer->faultstring // $answer->valueof('//Reason/Text') : undef;
    return $answer->fault ? undef : $answer->result;
}

sub header {
    my ($name, $namespace, @members) = @_;
    return SOAP::Header->name($name => \SOAP::Data->value(data(@members)))->attr({ xmlns => $namespace });
}

sub items {
    my ($found, $name) = @_;
    my $rows = ref $found eq 'HASH' ? $found->{$name} : [];
    return ref $rows eq 'ARRAY' ? @$rows : ($rows);
}

if ($contract eq 'magnetmail') {
    my $namespace = 'http://www.magnetmail.net/';
    my $client = client('/mmapi.asmx', $namespace);
    my $session = call($client, undef, 'Authenticate', [username => 'demo'], [password => 'demo']);
    print "logon $session->{authenticated} $session->{user_id}\n";
    my $header = header('mmAuthHeader', $namespace, [sessionId => $session->{sessionId}], [user_id => 'DEMO']);
    my $group = call($client, $header, 'addGroup', [user_id => 'DEMO'], [group_name => 'Grüße'], [categoryId => 0]);
    print "group $group->{error} $group->{msg}\n";
    my $queued = call(
        $client, $header, 'uploadListQueue',
        [user_id => 'DEMO'], [groupid => $group->{id}], [csvData => $csv], [replace_group => 'false'],
        [update_dups => 'true'], [header_line => 'true'], [MM_1 => 'Custom_Member_Id'], [MM_2 => 'Email']);
    my $status;
    do {
        sleep 0.05;
        $status = call($client, $header, 'getUploadJobStatus', [user_id => 'DEMO'], [jobid => $queued->{jobid}]);
    } until $status->{status} >= 2;
    print "upload @{$status}{qw(status total_records good_records new_added)}\n";
    my $found = call(
        $client, $header, 'getGroupRecipients', [groupId => $group->{id}], [pageNumber => 1], [pageCount => 10]);
    print join(' ', 'members', sort map { "$_->{EmailId}=$_->{CustomMemberId}" } items($found->{recipients}, 'GroupRecipient')), "\n";
    my $unknown = call($client, $header, 'getUploadJobStatus', [user_id => 'DEMO'], [jobid => 987654]);
    print "unknown $unknown->{error}\n";
    my $wrong = call($client, undef, 'Authenticate', [username => 'demo'], [password => 'wrong']);
    print "wrong $wrong->{authenticated}\n";
    my $stranger = header('mmAuthHeader', $namespace, [sessionId => 'none'], [user_id => 'DEMO']);
    call($client, $stranger, 'getUploadJobStatus', [user_id => 'DEMO'], [jobid => 1]);
    print "refused $refused\n";
}
else {
    my $namespace = 'http://webservices.listrak.com/v31/';
    my $client = client('/v31/IntegrationService.asmx', $namespace);
    my $header = header('WSUser', $namespace, [UserName => 'demo'], [Password => 'demo']);
    my @switches = map { [$_ => 'false'] } qw(
        EnableRemovalLink EnableBrowserLink EnableDoubleOptin EnableListHygiene ShowEmailList
        ShowAdvancedPersonalization EnableRSS EnableGoogleAnalytics EnableInternationalization EnableDynamicContent
        EnableListRemoveHeader);
    my $made = call(
        $client, $header, 'CreateContactList',
        [ListName => 'Küche'], @switches, [BounceHandling => 1], [VmtaID => 0], [BounceUnsubscribeCount => 3]);
    print "list $made->{ListName}\n";
    my $directives = \SOAP::Data->value(data(
        [ImportTypeEnum => 'AddSubscribers'], [ImportProfileTypeEnum => 'Update'], [FileName => 'walk.csv'],
        [HasColumnNames => 'true'], [FileDelimiter => ','], [TextQualifier => '"']));
    my $mapping = \SOAP::Data->value(data([AttributeID => 0], [FileColumn => 1], [IsEmailAddressColumn => 'true']));
    my $bytes = $csv;
    utf8::encode($bytes);
    require MIME::Base64;
    my $process = call(
        $client, $header, 'BulkLoadContacts',
        [ListID => $made->{ListID}], [WSImportDirectives => $directives],
        [fileMappings => \SOAP::Data->value(data([WSFileMappings => $mapping]))],
        [ImportFileStream => MIME::Base64::encode_base64($bytes, '')]);
    my $status;
    do {
        sleep 0.05;
        $status = call($client, $header, 'GetProcessStatus', [ProcessID => $process]);
    } until $status->{Status} eq 'ProcessingCompleted';
    print "process $status->{ProcessName} $status->{Status}\n";
    my $found = call($client, $header, 'ReportSubscribedContacts', [ListID => $made->{ListID}], [Page => 1]);
    print join(' ', 'members', sort map { $_->{EmailAddress} } items($found, 'WSContactSubscriptionInfo')), "\n";
    my $legacy = call($client, $header, 'GetLegacyProcessStatus', [ListID => 1]);
    my @rows = map { "$_->{ProcessType}:$_->{CurrentStep}/$_->{MaxStep}" } items($legacy, 'WSLegacyProcessStatus');
    print join(' ', 'legacy', @rows), "\n";
    my $unknown = call($client, $header, 'GetProcessStatus', [ProcessID => 987654]);
    print 'unknown ', (defined $unknown && $unknown ne '' ? 'something' : 'None'), "\n";
    my $stranger = header('WSUser', $namespace, [UserName => 'demo'], [Password => 'wrong']);
    call($client, $stranger, 'GetProcessStatus', [ProcessID => 1]);
    print "refused $refused\n";
}
