#!/bin/sh
# nginx 1.22.1 (Debian 12) as a mail proxy with `smtp_auth none` answers MAIL itself, with 250, and gives it to the server
# behind it when the first RCPT is there. When that server refuses the sender, 553 5.1.8, or is short of space, 452,
# the client gets the same 451 4.3.2 to RCPT, and the connection ends: a refusal for good is tried again for days, and
# who asked first, the sender or the recipient, cannot be seen. A refused recipient comes through as it is.
# With `smtp_auth plain` everything after the logon comes through. Needs root and Debian 12.
set -eu
version=1.22.1-9+deb12u11
work=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "nginx=$version" "libnginx-mod-mail=$version"
for package in ./*.deb; do dpkg -x "$package" .; done
cat >servers.py <<'PYTHON'
"""The server behind the proxy, and the one that nginx asks where that is. Prints three free ports."""

import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

REPLIES = {
    b"MAIL FROM:<BAD@EXAMPLE.COM>": b"553 5.1.8 Sender unknown",
    b"MAIL FROM:<BIG@EXAMPLE.COM>": b"452 4.3.1 No space",
    b"RCPT TO:<NO@EXAMPLE.ORG>": b"550 5.1.1 No such user",
}


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 behind.example.org ESMTP\r\n")
        while line := self.rfile.readline().strip().upper():
            self.wfile.write(REPLIES.get(line, b"250 2.0.0 Ok") + b"\r\n")


class Where(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        for name, value in (("Auth-Status", "OK"), ("Auth-Server", "127.0.0.1"), ("Auth-Port", str(mail.server_address[1]))):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *more):
        pass


mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
where = HTTPServer(("127.0.0.1", 0), Where)
free = socketserver.TCPServer(("127.0.0.1", 0), Mail)
port = free.server_address[1]
free.server_close()
with open("ports", "w") as file:
    file.write(f"{mail.server_address[1]} {where.server_address[1]} {port}\n")
threading.Thread(target=mail.serve_forever, daemon=True).start()
where.serve_forever()
PYTHON
python3 servers.py &
pids=$!
while [ ! -s ports ]; do sleep 0.1; done
read -r _ where port <ports
cat >nginx.conf <<CONF
daemon off;
master_process off;
pid $work/pid;
load_module $work/usr/lib/nginx/modules/ngx_mail_module.so;
events {}
mail {
    server_name proxy.example.org;
    auth_http 127.0.0.1:$where/;
    server { listen 127.0.0.1:$port; protocol smtp; smtp_auth none; xclient off; }
}
CONF
usr/sbin/nginx -p "$work" -c "$work/nginx.conf" -e "$work/error.log" &
pids="$pids $!"
python3 - "$port" <<'PYTHON'
import smtplib
import sys
import time


def replies(sender, recipient):
    """Return the codes of MAIL and RCPT, and whether the connection stays."""
    for _ in range(50):
        try:
            client = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example.com", timeout=10)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.ehlo()
    codes = [client.docmd("MAIL", f"FROM:<{sender}>"), client.docmd("RCPT", f"TO:<{recipient}>")]
    print(sender, recipient, codes)
    try:
        client.docmd("RSET")
    except (smtplib.SMTPServerDisconnected, ConnectionError):
        stays = False
    else:
        stays = True
    client.close()
    return [code for code, _ in codes], stays


assert replies("news@example.com", "ann@example.org") == ([250, 250], True)
assert replies("news@example.com", "no@example.org") == ([250, 550], True)
assert replies("bad@example.com", "ann@example.org") == ([250, 451], False)
assert replies("big@example.com", "ann@example.org") == ([250, 451], False)
PYTHON
usr/sbin/nginx -v 2>&1
