"""A spamd for tests: answers REPORT as SpamAssassin 4 does, or in a way that none should."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
import time
from typing import Any

REPORT = """Spam detection software, running on the system "host.example",
has identified this incoming email as possible spam.

Content preview:  {preview}

Content analysis details:   ({points} points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
{rules}
"""
RULES = """-0.0 NO_RELAYS              Informational: message was not relayed via SMTP
 2.8 DRUG_ED_CAPS           BODY: Mentions an E.D. drug
 0.3 A_RULE_WITH_A_NAME_LONGER_THAN_ITS_COLUMN BODY: The description
                            goes on below [score: 0.5]
1000 GTUBE                  BODY: Generic Test for Unsolicited Bulk Email"""


class FakeScanner(socketserver.ThreadingTCPServer):
    """`mood` says what is special about its answers; `mails` are those that came in."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mood = ""
        self.mails: list[bytes] = []
        self.released = threading.Event()
        self.url = f"spamd://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, mail: bytes) -> bytes:
        """The whole answer about a mail."""
        points = 1003.1 if b"GTUBE" in mail else 2.8
        verdict = "True" if points >= 5 else "False"
        rules = RULES if b"GTUBE" in mail else RULES.rpartition("\n")[0]
        preview = mail.partition(b"\r\n\r\n")[2].decode("utf-8", "replace").replace("\r\n", "\n")
        report = REPORT.format(preview=preview, points=points, rules=rules).encode()
        head = f"SPAMD/1.1 0 EX_OK\r\nContent-length: {len(report)}\r\nSpam: {verdict} ; {points} / 5.0\r\n\r\n"
        whole = head.encode() + report
        return {
            "error": b"SPAMD/1.0 76 Bad header line: (EOF during message)\r\n\r\n",
            "cut": whole[:-100],
            "silent": b"",
            "other": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "pointless": whole.replace(b"Spam:", b"Ham:"),
            "huge": whole + b"x" * (1 << 20),
            "bare": head.partition("Content")[0].encode() + b"Spam: False ; -0.1 / 7.5\r\n\r\n",
        }.get(self.mood, whole)


class _Handler(socketserver.BaseRequestHandler):
    server: FakeScanner
    request: socket.socket

    def handle(self) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.request.recv(65536)
        head, _, mail = data.partition(b"\r\n\r\n")
        found = re.fullmatch(rb"REPORT SPAMC/1\.[0-9]\r\nContent-length: ([0-9]+)", head)
        assert found, head
        while len(mail) < int(found[1]) and (more := self.request.recv(65536)):
            mail += more
        self.server.mails.append(mail)
        answer: bytes = self.server.answer(mail)
        if self.server.mood == "held":
            self.server.released.wait(30)
        if self.server.mood == "slow":
            # Never silent for long, and never done.
            for byte in answer:
                if not self._send(bytes([byte])):
                    return
                time.sleep(0.05)
        self._send(answer)

    def _send(self, data: bytes) -> Any:
        try:
            self.request.sendall(data)
        except OSError:
            return False
        return True
