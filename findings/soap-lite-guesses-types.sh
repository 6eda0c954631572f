#!/bin/sh
# SOAP::Lite 1.27 guesses a type for each text that it sends, and names it in xsi:type: the name "INF" and the code "12E5"
# are a float, "true" is a boolean, "P1D" a duration, and whatever has a letter beyond ASCII is base64Binary, whose base64
# a server that goes by its own description takes for the text. "007" stays a string, "7" is an int.
# Call autotype(0) for a service with a description, or give each value its type by SOAP::Data->type('string').
set -eu
version=1.27-3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libsoap-lite-perl=$version"
dpkg -x libsoap-lite-perl_*.deb .
perl -I usr/share/perl5 - <<'PERL'
use strict;
use warnings;
use SOAP::Lite;

print "SOAP::Lite $SOAP::Lite::VERSION\n";
my %expected = (
    '007' => 'string', '7' => 'int', '12E5' => 'float', 'INF' => 'float', 'true' => 'boolean', 'P1D' => 'duration',
    '2024-02-29' => 'date', "Z\xc3\xbcrich" => 'base64Binary',
);
for my $text (sort keys %expected) {
    for my $guess (1, 0) {
        my $xml = SOAP::Serializer->autotype($guess)->serialize(SOAP::Data->name(Name => $text));
        my ($type) = $xml =~ /xsi:type="xsd:(\w+)"/;
        print "$text: $type\n" if $guess;
        die "$xml\n" unless ($type // '') eq ($guess ? $expected{$text} : '');
    }
}
PERL
