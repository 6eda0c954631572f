#!/bin/sh
# msmtpd 1.8.23 of Debian 12, msmtp's small SMTP server for one machine, replies with msmtp's exit code alone. A recipient
# whom the next server refuses for good is "554 Pipe command reported error 65", behind the content: an unknown person,
# 550 5.1.1, as a full mailbox, 552 5.2.2. A mail whose content that server refuses for good, 554 5.7.1, is 451 (RFC 5321
# 4.2.1 has 5yz for it), so a sender tries until it gives up. And an address with another character than letters, digits
# and . _ - + / is 501, such as o'brien@example.org (atext, RFC 5322 3.2.3). Behind each refusal msmtpd hangs up.
# A list sends to the next server itself: otherwise a full mailbox counts as a bad address.
set -eu
version=1.8.23-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "msmtp=$version" "msmtp-mta=$version" libgsasl18 libgssglue1 libidn12 libntlm0 libsecret-1-0
for package in ./*.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(echo "$work"/usr/lib/*-linux-gnu) python3 - <<'PYTHON'
import os
import smtplib
import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path


REFUSALS = {
    b"RCPT TO:<gone@": b"550 5.1.1 No such person\r\n",
    b"RCPT TO:<full@": b"552 5.2.2 No room\r\n",
}


class NextServer(socketserver.StreamRequestHandler):
    """A mail server that refuses two recipients, and mails with the subject Spam, for good."""

    def handle(self):
        self.wfile.write(b"220 next.example ESMTP\r\n")
        has_content = is_spam = False
        for line in self.rfile:
            if has_content:
                is_spam |= line == b"Subject: Spam\r\n"
                if line != b".\r\n":
                    continue
                has_content = False
                if is_spam:
                    self.wfile.write(b"554 5.7.1 We want no such mail\r\n")
                    continue
            refusal = next((reply for start, reply in REFUSALS.items() if line.startswith(start)), None)
            if refusal:
                self.wfile.write(refusal)
            elif line.startswith(b"DATA"):
                has_content = True
                self.wfile.write(b"354 Go on\r\n")
            elif line.startswith(b"QUIT"):
                self.wfile.write(b"221 Bye\r\n")
                break
            else:
                self.wfile.write(b"250 Ok\r\n")


def said(client, command):
    try:
        client.send(command + "\r\n")
        code, text = client.getreply()
    except (smtplib.SMTPServerDisconnected, OSError):
        return "closed"
    return f"{code} {text.decode()}"


print(subprocess.run(["usr/bin/msmtp", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0])
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), NextServer) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Path("conf").write_text(f"account default\nhost 127.0.0.1\nport {server.server_address[1]}\nauth off\ntls off\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = f"{os.getcwd()}/usr/bin/msmtp -C {os.getcwd()}/conf -f %F --"
    msmtpd = subprocess.Popen(["usr/bin/msmtpd", f"--port={port}", f"--command={command}", "--log=none"], stderr=open("err", "w"))
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)

        def sent(recipient, subject="News"):
            """Return what msmtpd says last of a mail."""
            client = smtplib.SMTP("127.0.0.1", port, "client.example")
            client.ehlo()
            said(client, "MAIL FROM:<news@example.com>")
            reply = said(client, f"RCPT TO:<{recipient}>")
            if reply.startswith("250"):
                said(client, "DATA")
                reply = said(client, f"Subject: {subject}\r\n\r\nNews\r\n.")
            print(f"{recipient}, {subject}: {reply}; then: {(then := said(client, 'MAIL FROM:<news@example.com>'))}")
            return reply, then

        reply, then = sent("ann@example.org")
        assert reply.startswith("250") and then.startswith("250")
        for recipient in ("gone@example.org", "full@example.org"):
            reply, then = sent(recipient)
            assert reply == "554 Pipe command reported error 65" and then == "closed"
        reply, then = sent("ann@example.org", "Spam")
        assert reply.startswith("451") and "5.7.1" not in reply and then == "closed"
        reply, then = sent("o'brien@example.org")
        assert reply.startswith("501") and then == "closed"
    finally:
        msmtpd.terminate()
        msmtpd.wait()
        server.shutdown()
PYTHON
