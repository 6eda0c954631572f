#!/bin/sh
# dkimpy 1.1.8's dkim.verify looks at the first signature of a mail alone: of a mail with two, of which one is valid, it
# says False or True by their order. RFC 6376 6.1 lets a verifier go on until one is valid. If the first one is of ed25519
# (RFC 8463), that is False, too, unless PyNaCl is installed, which the package does not require: DKIM(mail).verify says
# NaClNotFoundError. A sender puts the RSA signature first; a verifier asks DKIM(mail).verify(index) for each signature.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dkimpy==1.1.8
for name in right other; do
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $name.pem 2>/dev/null ||
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $name.pem 2>/dev/null
done
openssl pkey -in right.pem -pubout -outform DER -out right.der
venv/bin/python - <<'PYTHON'
from base64 import b64encode
from importlib.metadata import version
from pathlib import Path

import dkim

print("dkimpy", version("dkimpy"))
record = b"v=DKIM1; k=rsa; p=" + b64encode(Path("right.der").read_bytes())
mail = b"From: news@example.com\r\nSubject: News\r\n\r\nNews\r\n"
right, other = (
    dkim.sign(mail, b"june", b"example.com", Path(f"{name}.pem").read_bytes(), include_headers=[b"from", b"subject"])
    for name in ("right", "other")
)
edwards = right.replace(b"a=rsa-sha256", b"a=ed25519-sha256", 1)


def key(*_, **__):
    return record


for name, signed in (("valid first", right + other + mail), ("valid second", other + right + mail)):
    print(f"{name}:", dkim.verify(signed, dnsfunc=key))
assert dkim.verify(right + other + mail, dnsfunc=key) is True
assert dkim.verify(other + right + mail, dnsfunc=key) is False
assert dkim.DKIM(other + right + mail).verify(1, dnsfunc=key) is True
record = b"v=DKIM1; k=ed25519; p=" + b64encode(bytes(32))
assert dkim.verify(edwards + mail, dnsfunc=key) is False
try:
    dkim.DKIM(edwards + mail).verify(dnsfunc=key)
except dkim.NaClNotFoundError as error:
    print("ed25519:", error)
else:
    raise SystemExit("dkimpy verifies ed25519 without PyNaCl")
PYTHON
