#!/bin/sh
# mailbot of maildrop 2.9.3 writes feedback reports (RFC 5965). It leaves out Feedback-Type, which 3.1 there requires,
# whatever -R says. And it writes none at all about a mail with List-Id or Precedence: bulk, list or junk, which it never
# answers automatically: so nothing about newsletters. It returns headers alone, as text/rfc822-headers.
# A reader of reports takes a missing type for "abuse".
set -eu
version=2.9.3-2.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "maildrop=$version" libcourier-unicode4
for package in ./*.deb; do dpkg -x "$package" .; done
echo "maildrop $version"
printf 'Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n\nSpam.\n' >words
# The report about a mail with this header.
report() {
    printf 'From: news@example.com\nTo: ann@example.org\nSubject: News\nMessage-ID: <1@example.com>\n%s\n\nNews\n' "$1" |
        LD_LIBRARY_PATH=$(echo "$work"/usr/lib/*-linux-gnu) \
            usr/bin/mailbot -T feedback -R abuse -N -m words -fabuse@example.com cat
}
report 'X-Mailer: list' >report
sed -n '/^Content-Type: message.feedback-report/,/^--/p' report
grep -q '^Content-Type: multipart/report; report-type=feedback-report' report
grep -q '^User-Agent:' report
grep -q '^Content-Type: text/rfc822-headers' report
if grep -qi '^Feedback-Type' report; then echo 'it names a type'; exit 1; fi
for header in 'List-Id: <list-3.example.com>' 'Precedence: bulk' 'Precedence: list' 'Precedence: junk'; do
    report "$header" >report
    echo "$(wc -c <report) bytes: $header"
    [ ! -s report ]
done
