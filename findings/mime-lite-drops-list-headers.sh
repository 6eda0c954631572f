#!/bin/sh
# Perl's MIME::Lite 3.033 (Debian 12) leaves out List-Id, List-Unsubscribe and List-Unsubscribe-Post that a program gives to
# new() as it gives From and Subject, without a warning: it takes a name that it does not know for an option that it does
# not know either. It knows the fields of RFC 822, Resent-* and X-*. So a newsletter has no link to unsubscribe, and looks
# right in its source. Write the name with a colon behind it, 'List-Id:' => ..., or call add.
set -eu
version=3.033-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libmime-lite-perl=$version" libemail-date-format-perl
for package in ./*.deb; do dpkg -x "$package" .; done
perl -I usr/share/perl5 - <<'PERL'
use strict;
use warnings;
use MIME::Lite;

$SIG{__WARN__} = sub { die "a warning: @_" };
print "MIME::Lite $MIME::Lite::VERSION\n";
my %lists = ('List-Id' => '<news.example.com>', 'List-Unsubscribe' => '<https://lists.example.com/u/1>',
    'List-Unsubscribe-Post' => 'List-Unsubscribe=One-Click');
my @mail = (From => 'news@example.com', To => 'ann@example.org', Subject => 'News', 'X-Campaign' => 7, Data => 'News');
sub written {
    my @found = MIME::Lite->new(@mail, @_)->as_string =~ /^(List-[\w-]+|X-Campaign):/mg;
    print "@found\n";
    return join ' ', sort @found;
}
die unless written(%lists) eq 'X-Campaign';
die unless written(map { ("$_:" => $lists{$_}) } keys %lists) eq 'List-Id List-Unsubscribe List-Unsubscribe-Post X-Campaign';
PERL
