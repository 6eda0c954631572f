#!/bin/sh
# Perl's Mail::DeliveryStatus::BounceParser 1.543 takes a delivery report for no bounce when one of its recipients did not
# fail: "delivered", "relayed" or "delayed" beside "failed". RFC 3464 2.3 has an action for each recipient, and servers
# put several into one report. Behind the first other action it reads no further recipient.
# And of an OpenSMTPD report (a message/delivery-status part within multipart/mixed, RFC 3464 wants multipart/report) it
# says that it is a bounce, of nobody.
# A reader judges each recipient for itself, and looks for the status part whatever the mail's own type is. A sender gives
# each mail one recipient and a return address of its own.
set -eu
version=1.543+repacked-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libmail-deliverystatus-bounceparser-perl=$version" \
    libmailtools-perl libmime-tools-perl libtimedate-perl
for package in ./*.deb; do dpkg -x "$package" .; done
echo "Mail::DeliveryStatus::BounceParser $version"
cat >try.pl <<'PERL'
use strict;
use warnings;
use Mail::DeliveryStatus::BounceParser;

my %status = (failed => '5.1.1', delivered => '2.0.0', relayed => '2.0.0', delayed => '4.4.1');

sub found {
    my ($type, @recipients) = @_;
    my $blocks = join "\n", map { "Final-Recipient: rfc822; $_->[0]\nAction: $_->[1]\nStatus: $status{$_->[1]}\n" } @recipients;
    my $parser = Mail::DeliveryStatus::BounceParser->new(<<"MAIL");
From: MAILER-DAEMON\@mx.example.net
To: news\@example.com
Subject: Undelivered
MIME-Version: 1.0
Content-Type: $type; boundary=b

--b
Content-Type: text/plain

Some of it did not arrive.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

$blocks
--b
Content-Type: message/rfc822

From: news\@example.com
Message-ID: <1\@example.com>

News

--b--
MAIL
    my $said = join ' ', ($parser->is_bounce ? 'bounce' : 'no bounce'), map { $_->get('email') } $parser->reports;
    print join(', ', map { "$_->[0] $_->[1]" } @recipients), ", $type: $said\n";
    return $said;
}

my ($report, $ann, $bob) = ('multipart/report; report-type=delivery-status', 'ann@example.org', 'bob@example.org');
die unless found($report, [$ann, 'failed'], [$bob, 'failed']) eq "bounce $ann $bob";
for my $action (qw(delivered relayed delayed)) {
    die unless found($report, [$ann, 'failed'], [$bob, $action]) eq "no bounce $ann";
    die unless found($report, [$bob, $action], [$ann, 'failed']) eq 'no bounce';
}
die unless found('multipart/mixed', [$ann, 'failed']) eq 'bounce';
PERL
/usr/bin/perl -I usr/share/perl5 try.pl
