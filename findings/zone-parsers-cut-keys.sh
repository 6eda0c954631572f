#!/bin/sh
# A string of a TXT record has at most 255 octets (RFC 1035 3.3), so an RSA key of 2,048 bits for DKIM is two strings, which
# a verifier joins (RFC 6376 3.6.2.2). zonefile-parser 0.1.20 for Python gives the first one alone: a key without its end.
# Perl's DNS::ZoneParse 1.10 (Debian 12) gives both with `" "` between them, and writes that as \" \" into one string: a
# zone that it has changed anything of has no valid key, and a string that is too long. dnspython 2.8.0 reads both right.
# Use keys of ed25519 there (RFC 8463), whose record is one string, or publish the record by hand.
set -eu
version=1.10-1.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libdns-zoneparse-perl=$version"
dpkg -x libdns-zoneparse-perl_*.deb .
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check zonefile-parser==0.1.20 dnspython==2.8.0
key=$(openssl genrsa 2048 2>/dev/null | openssl pkey -pubout -outform DER | base64 -w 0)
text="v=DKIM1; k=rsa; p=$key"
first=$(echo "$text" | cut -c -255)
rest=$(echo "$text" | cut -c 256-)
cat >zone <<ZONE
\$ORIGIN example.com.
\$TTL 3600
@ IN SOA ns.example.com. hostmaster.example.com. ( 1 3600 900 604800 300 )
@ IN NS ns.example.com.
june._domainkey.example.com. IN TXT "$first" "$rest"
ZONE
venv/bin/python - "$text" <<'PYTHON'
import sys
from importlib.metadata import version

import dns.zone
import zonefile_parser

text = sys.argv[1]
zone = dns.zone.from_text(open("zone").read(), "example.com.", check_origin=False)
(strings,) = (data.strings for _, _, data in zone.iterate_rdatas("TXT"))
assert b"".join(strings).decode() == text
(read,) = (record.rdata["value"] for record in zonefile_parser.parse(open("zone").read()) if record.rtype == "TXT")
print("zonefile-parser", version("zonefile-parser"), "reads", len(read), "of", len(text), "characters")
assert read == text[:255]
PYTHON
perl -I usr/share/perl5 -MDNS::ZoneParse -e 'my $zone = DNS::ZoneParse->new("zone", "example.com.");
    print "DNS::ZoneParse $DNS::ZoneParse::VERSION writes\n";
    open my $file, ">", "written"; print $file $zone->output' >said
cat said
grep -o 'TXT.*' written
[ "$(sed -n 's/.*TXT\t"//p' written | tr -d '\\')" = "$first\" \"$rest\"" ]
