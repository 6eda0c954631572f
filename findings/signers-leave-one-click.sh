#!/bin/sh
# RFC 8058 4: List-Unsubscribe-Post must be covered by the DKIM signature, else the button for one click is not shown.
# What these sign unless they are told more is older than that: OpenDKIM 2.11 of Debian 12, Mail::DKIM 1.20230212 for Perl,
# dkimpy 1.1.8 for Python and mailauth 7.1.0 for Node.js sign List-Unsubscribe and leave List-Unsubscribe-Post. The
# signature verifies, so tests of DKIM and DMARC pass. nodemailer 10.6.1 signs both.
# Sign in the program that writes the mail, or name the header: SignHeaders *,+list-unsubscribe-post in opendkim.conf,
# include_headers of dkimpy, headerList of mailauth. Needs root and Debian 12.
set -eu
dkim=1.20230212-2~deb12u1
opendkim=2.11.0~beta2-8+deb12u1
# OpenDKIM refuses keys in a folder that others may write to.
work=$(mktemp -d -p "$HOME")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p partial
apt-get install -qq --download-only --reinstall --no-install-recommends -o Dir::Cache::archives="$work" \
    -o APT::Sandbox::User=root "opendkim=$opendkim" "libmail-dkim-perl=$dkim" >/dev/null
for package in ./*.deb; do dpkg -x "$package" .; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dkimpy==1.1.8
npm install --silent --no-audit --no-fund --ignore-scripts mailauth@7.1.0 nodemailer@10.6.1 >/dev/null
openssl genrsa -traditional -out key 2048 2>/dev/null
chmod 600 key
printf '%s\r\n' 'From: news@example.com' 'To: ann@example.org' 'Subject: News' 'Date: Mon, 01 Jan 2024 00:00:00 +0000' \
    'List-Unsubscribe: <https://lists.example.com/u/1>' 'List-Unsubscribe-Post: List-Unsubscribe=One-Click' '' News >mail
# Print the signed headers about lists, of a signature on standard input.
lists() {
    tr -d ' \t\r\n' | tr ';' '\n' | sed -n 's/.*\bh=//p' | grep -v '=' | tr ':' '\n' | tr '[:upper:]' '[:lower:]' |
        grep '^list-' | sort | tr '\n' ' '
}
# The name and version, the signature, whether both headers are signed.
expect() {
    signed=$(lists <"$2")
    echo "$1 signs $signed"
    [ "$signed" = "list-unsubscribe $3" ]
}
perl="perl -I usr/share/perl5"
$perl -MMail::DKIM::Signer -e 'my $signer = Mail::DKIM::Signer->new(Algorithm => "rsa-sha256", Method => "relaxed/relaxed",
    Domain => "example.com", Selector => "s", KeyFile => "key");
    $signer->PRINT($_) while <>; $signer->CLOSE; print $signer->signature->as_string' mail >perl
venv/bin/python -c 'import dkim
print(dkim.sign(open("mail", "rb").read(), b"s", b"example.com", open("key", "rb").read()).decode())' >python
node -e 'const {readFileSync, writeFileSync} = require("fs");
const {dkimSign} = require("mailauth/lib/dkim/sign");
const key = readFileSync("key", "utf8");
const signatureData = [{signingDomain: "example.com", selector: "s", privateKey: key}];
dkimSign(readFileSync("mail"), {signatureData}).then((found) => writeFileSync("mailauth", found.signatures));
const dkim = {domainName: "example.com", keySelector: "s", privateKey: key};
const headers = {"List-Unsubscribe": "<https://x.example/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"};
const mail = {from: "a@example.com", to: "b@example.org", subject: "News", text: "News", headers};
require("nodemailer").createTransport({streamTransport: true, buffer: true, newline: "windows", dkim}).sendMail(mail)
    .then((sent) => writeFileSync("nodemailer", sent.message.toString().split(/\r\n(?!\s)/)[0]));'
printf 'Domain example.com\nSelector s\nKeyFile %s/key\nMode s\n' "$work" >opendkim.conf
LD_LIBRARY_PATH=$(echo usr/lib/*-linux-gnu) usr/sbin/opendkim -x "$work/opendkim.conf" -vvv -t mail 2>&1 |
    sed -n '/^### INSHEADER/,$p' >opendkim
expect "OpenDKIM $opendkim" opendkim ''
expect "Mail::DKIM $dkim" perl ''
expect "dkimpy 1.1.8" python ''
expect "mailauth 7.1.0" mailauth ''
expect "nodemailer 10.6.1" nodemailer 'list-unsubscribe-post '
