#!/bin/sh
# Python's email.policy.default (3.11.2 of Debian 12; 3.11.7 alike) puts a blank into a display name wherever one encoded
# word ends and the next begins: RFC 2047 6.2 has the white space between them ignored. A name that does not fit one
# word of 75 characters, such as one of 15 Chinese characters in base64 and two lines, comes back changed. In Subject it
# reads them rightly, and so does email.header.decode_header. Keep the names of senders within one encoded word.
# Needs Debian 12, for its Python.
set -eu
/usr/bin/python3 - <<'PYTHON'
import platform
from email import message_from_bytes, policy
from email.header import Header, decode_header, make_header

version = platform.python_version()
print("Python", version)
# Seen with this version; another one has to be looked at again.
assert version == "3.11.2"
name = "Zürcher Gesellschaft für Ärztinnen und Ärzte der Allgemeinmedizin"
field = Header(name, "utf-8", header_name="From").encode(linesep="\r\n")
assert field.count("=?utf-8?") == 2
mail = message_from_bytes(
    f"From: {field} <news@example.com>\r\nSubject: {field}\r\n\r\nNews\r\n".encode(), policy=policy.default
)
print("From:   ", found := mail["From"].addresses[0].display_name)
print("Subject:", mail["Subject"])
assert mail["Subject"] == name
assert found != name
assert found.replace(" ", "") == name.replace(" ", "")
assert str(make_header(decode_header(field))) == name
PYTHON
