#!/bin/sh
# Greylisting defers the first mail of each client, sender and recipient. Where each mail has a sender of its own (VERP),
# that may be every mail: greylistd 0.9 of Debian 12 defers each, and postgrey 1.37 each whose sender has a "-" before its
# tag; it leaves out what follows a "+". sqlgrey 1.8 leaves that out, too, and passes a domain after two retries.
# A sender writes its tag after a "+", and keeps the sender of a mail the same for all tries.
# Needs Debian 12, for its Perl.
set -eu
work=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root postgrey=1.37-2 sqlgrey=1:1.8.0-4 greylistd=0.9.0.2+nmu1 \
    libberkeleydb-perl libdb5.3 libnetaddr-ip-perl libnet-dns-perl libnet-server-perl libio-multiplex-perl \
    libdate-calc-perl libdate-calc-xs-perl libcarp-clan-perl libbit-vector-perl libdbi-perl libdbd-sqlite3-perl
for package in ./*.deb; do dpkg -x "$package" .; done
echo "postgrey 1.37-2, sqlgrey 1.8.0-4, greylistd 0.9.0.2+nmu1"
LD_LIBRARY_PATH=$(echo "$work"/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
modules="-I usr/share/perl5 -I $(echo usr/lib/*-linux-gnu/perl5/5.36)"
# shellcheck disable=SC2046
set -- $(python3 -c '
import socket
probes = [socket.socket() for _ in range(2)]
for probe in probes: probe.bind(("127.0.0.1", 0))
print(*(probe.getsockname()[1] for probe in probes))')
mkdir triplets
touch nobody
# shellcheck disable=SC2086
/usr/bin/perl -T $modules usr/sbin/postgrey --inet=127.0.0.1:"$1" --user=root --group=root --delay=1 \
    --dbdir="$work/triplets" --whitelist-clients="$work/nobody" --whitelist-recipients="$work/nobody" >postgrey.log 2>&1 &
pids=$!
printf '%s\n' user=root group=root inet=127.0.0.1:"$2" "pidfile=$work/pid" db_type=SQLite "db_name=$work/sqlgrey.db" \
    reconnect_delay=0 "confdir=$work/etc/sqlgrey" admin_mail= >sqlgrey.conf
# shellcheck disable=SC2086
/usr/bin/perl $modules usr/sbin/sqlgrey -f sqlgrey.conf >sqlgrey.log 2>&1 &
pids="$pids $!"
sed -e "s#/var/[a-z]*/greylistd#$work#; s/^retryMin .*/retryMin = 1/; s/^\[socket\]/&\nowner = root:root/" \
    etc/greylistd/config >greylistd.conf
/usr/bin/python3 usr/sbin/greylistd "$work/greylistd.conf" >greylistd.log 2>&1 &
pids="$pids $!"
python3 - "$@" <<'PYTHON'
import re
import socket
import sys
import time


def answer(address, question):
    """Ask once the program listens; return what it says."""
    for _ in range(300):
        try:
            with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as asked:
                asked.connect(address)
                asked.sendall(question.encode())
                return asked.makefile().readline() if isinstance(address, tuple) else asked.recv(1000).decode()
        except (ConnectionRefusedError, FileNotFoundError):
            time.sleep(0.1)
    raise SystemExit(f"nobody listens at {address}")


def by_policy(port):
    """Return what asks over Postfix's protocol for policies."""
    return lambda sender: answer(
        ("127.0.0.1", port),
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.7\n"
        "client_name=mail.example.com\nhelo_name=mail.example.com\n"
        f"sender={sender}\nrecipient=ann@example.org\ninstance=1.{time.time()}\n\n",
    )


programs = {
    "postgrey": by_policy(int(sys.argv[1])),
    "sqlgrey": by_policy(int(sys.argv[2])),
    "greylistd": lambda sender: answer("socket", f"update 192.0.2.7 {sender} ann@example.org"),
}
deferred = {}
for separator, domain in (("+", "plus.example"), ("-", "minus.example")):
    for mail in ("b3kxb4ja", "b7qwb5ma", "bx2ef6pa", "bt5yd3za"):
        sender = f"b{separator}{mail}@{domain}"
        for name, asks in programs.items():
            is_deferred = bool(re.search("action=defer|^grey", asks(sender), re.IGNORECASE))
            deferred.setdefault((name, separator), []).append(is_deferred)
        time.sleep(2.1)
        for name, asks in programs.items():
            said = asks(sender)
            assert not re.search("action=defer|^grey", said, re.IGNORECASE), (name, said)
for (name, separator), found in deferred.items():
    print(f"{name}, tag after {separator}: {sum(found)} of {len(found)} mails deferred")
assert deferred["postgrey", "+"] == [True, False, False, False]
assert deferred["postgrey", "-"] == [True] * 4
assert deferred["sqlgrey", "+"] == [True, False, False, False]
assert deferred["sqlgrey", "-"] == [True, True, False, False]
assert deferred["greylistd", "+"] == deferred["greylistd", "-"] == [True] * 4
PYTHON
