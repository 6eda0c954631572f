#!/bin/sh
# getmail6 6.18.11 takes a program to which it hands a mail (MDA_external) for failed when that writes to its standard
# error, though it exits with 0: the mail stays on the server and comes again at each run. Programs that take mail say
# success by their exit code alone (sysexits.h), and may log to standard error. And it puts "Delivered-To: unknown" before
# the mail's own Delivered-To.
# Set ignore_stderr = true, or discard what the program writes. A program takes a mail that comes twice once, and looks
# at each Delivered-To.
set -eu
version=6.18.11-2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "getmail6=$version"
dpkg -x getmail6_*.deb .
echo "getmail6 $version"
python3 - <<'PYTHON'
import os
import socketserver
import subprocess
import threading
from pathlib import Path

MAIL = """Return-Path: <>
Delivered-To: b+1@example.com
From: MAILER-DAEMON@mx.example.org
To: b+1@example.com
Subject: Undelivered
Message-ID: <1@mx.example.org>

It did not arrive.
""".replace("\n", "\r\n")


class Mailbox(socketserver.StreamRequestHandler):
    """A POP3 server with one mail (RFC 1939)."""

    def handle(self):
        is_deleted = False
        self.say("+OK")
        for line in self.rfile:
            command = line.decode().strip().upper()
            if command == "QUIT":
                self.server.has_mail &= not is_deleted
                self.say("+OK")
                break
            is_deleted |= command == "DELE 1"
            self.say(
                {
                    "LIST": self.listed(len(MAIL)),
                    "UIDL": self.listed("one"),
                    "RETR 1": f"+OK\r\n{MAIL}.",
                }.get(command, "+OK")
            )

    def listed(self, value):
        return "+OK\r\n" + (f"1 {value}\r\n" if self.server.has_mail else "") + "."

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


def trial(program, more=""):
    """Return how often a program got the mail in two runs, and whether the mail is still on the server."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.has_mail = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Path("got").unlink(missing_ok=True)
        Path("take").write_text(f"#!/bin/sh\ncat >>{os.getcwd()}/got\n{program}\n")
        Path("take").chmod(0o755)
        Path("rc").write_text(
            "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\n"
            f"port = {server.server_address[1]}\nusername = u\npassword = p\n"
            f"[destination]\ntype = MDA_external\npath = {os.getcwd()}/take\nallow_root_commands = true\n{more}\n"
            "[options]\ndelete = true\nread_all = false\n"
        )
        for state in Path(".").glob("oldmail-*"):
            state.unlink()
        for _ in range(2):
            subprocess.run(
                ["/usr/bin/python3", "usr/bin/getmail", "--getmaildir", os.getcwd(), "--rcfile", f"{os.getcwd()}/rc"],
                env={"PYTHONPATH": "usr/lib/python3/dist-packages", "HOME": os.getcwd(), "PATH": os.environ["PATH"]},
                capture_output=True,
                check=False,
            )
        server.shutdown()
        got = Path("got").read_text()
        print(f"{program!r} {more}: taken {got.count('Subject:')} times, on the server: {server.has_mail}")
        assert got.startswith("Return-Path: <>\nDelivered-To: unknown\n"), got
        assert "\nDelivered-To: b+1@example.com\n" in got
        return got.count("Subject:"), server.has_mail


assert trial("exit 0") == (1, False)
assert trial("exit 75") == (2, True)
assert trial("echo noted >&2") == (2, True)
assert trial("echo noted >&2", "ignore_stderr = true") == (1, False)
PYTHON
