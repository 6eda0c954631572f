#!/bin/sh
# A forwarder rewrites the sender of a mail by SRS, so that bounces find back: postsrsd 1.10 of Debian 12 makes
# SRS0=HASH=TT=bounces.example.com=TAG@forwarder of TAG@bounces.example.com, which adds 14 characters and the old domain.
# It makes local parts of more than 64 octets, too, the most of RFC 5321 4.5.3.1.1. Haraka 3.3.4 refuses those for good,
# 501 at MAIL, though that section wants no limits where they can be avoided: the forwarded mail is lost.
# Whoever gives each mail a sender of its own keeps the tag and its domain to 50 characters together.
set -eu
work=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root postsrsd=1.10-2+b1
dpkg -x postsrsd_*.deb .
npm install --silent --no-audit --no-fund --ignore-scripts Haraka@3.3.4 >/dev/null
# shellcheck disable=SC2046
set -- $(python3 -c '
import socket
probes = [socket.socket() for _ in range(3)]
for probe in probes: probe.bind(("127.0.0.1", 0))
print(*(probe.getsockname()[1] for probe in probes))')
echo secret >secret
usr/sbin/postsrsd -4 -f "$1" -r "$2" -d forward.example -s secret >postsrsd.log 2>&1 &
pids=$!
node node_modules/Haraka/bin/haraka -i haraka >/dev/null
echo "listen=127.0.0.1:$3" >haraka/config/smtp.ini
: >haraka/config/plugins
node node_modules/Haraka/bin/haraka -c haraka >haraka.log 2>&1 &
pids="$pids $!"
echo "postsrsd 1.10-2+b1, Haraka 3.3.4"
python3 - "$@" <<'PYTHON'
import smtplib
import socket
import sys
import time

forward, back, smtp = map(int, sys.argv[1:])


def connected(port):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit(f"nobody listens at {port}")


def rewritten(port, address):
    with connected(port) as asked:
        asked.sendall(f"get {address}\n".encode())
        code, _, found = asked.makefile().readline().strip().partition(" ")
    assert code == "200", found
    return found


connected(smtp).close()
replies = {}
for domain in ("bounces.example.com", "bnc1.example.com"):
    sender = f"b+aeaaaaacaaaaaaaab6kxb4ja6o3wtbq7@{domain}"
    forwarded = rewritten(forward, sender)
    assert rewritten(back, forwarded) == sender
    local = forwarded.rpartition("@")[0]
    with smtplib.SMTP("127.0.0.1", smtp, "forward.example", timeout=60) as client:
        client.ehlo()
        code, text = client.docmd(f"MAIL FROM:<{forwarded}>")
    print(f"{len(local)} octets: {code} {text.decode()}")
    replies[len(local)] = code
assert replies == {67: 501, 64: 250}
PYTHON
