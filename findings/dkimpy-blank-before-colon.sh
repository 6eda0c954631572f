#!/bin/sh
# dkimpy refuses to sign or verify a mail that has a blank before the colon of a header.
#
# RFC 5322 4.5.8 lets old mail have blanks there, and RFC 6376 3.4.2 says what a signer does with them: "relaxed" deletes
# them. dkimpy stops at "Subject : hello" with MessageFormatError, in sign and verify, so it reports a mail as broken that
# another signer signed rightly.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "dkimpy==1.1.8"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem 2>/dev/null ||
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem 2>/dev/null
env/bin/python - <<'PYTHON'
from importlib.metadata import version

import dkim

key = open("key.pem", "rb").read()
print("dkimpy", version("dkimpy"))


def sign(mail):
    return dkim.sign(mail, b"june", b"example.com", key, canonicalize=(b"relaxed", b"relaxed"), include_headers=[b"from", b"subject"])


assert sign(b"From: ann@example.com\r\nSubject: hello\r\n\r\nx\r\n").startswith(b"DKIM-Signature:")
try:
    sign(b"From: ann@example.com\r\nSubject : hello\r\n\r\nx\r\n")
except dkim.MessageFormatError as error:
    print("Subject with a blank before its colon:", error)
else:
    raise SystemExit("dkimpy signs a header with a blank before its colon")
PYTHON
