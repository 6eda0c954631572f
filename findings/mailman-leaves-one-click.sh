#!/bin/sh
# Mailman 3.3.10 replaces List-Unsubscribe of a mail that it passes on, and leaves List-Unsubscribe-Post: its members get
# "One-Click" beside a mailto link alone, though RFC 8058 3.1 asks for an HTTPS one. CFBL-Address and CFBL-Feedback-ID
# (RFC 9477) stay as well, so a member's complaint about the list's mail goes to the sender of the newsletter, and names
# the address of the list.
# A reader of mail looks for an HTTPS link before it believes List-Unsubscribe-Post. A sender expects a complaint to end
# the subscription of a whole list.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check mailman==3.3.10 2>pip.log || { cat pip.log; exit 1; }
cat >mailman.cfg <<CFG
[mailman]
layout: here
site_owner: owner@lists.example
[paths.here]
var_dir: $work/var
[database]
url: sqlite:///$work/mailman.db
[mta]
incoming: mailman.mta.null.NullMTA
CFG
venv/bin/python - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

from mailman.core.initialize import initialize

initialize(str(Path("mailman.cfg").absolute()))

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from email import message_from_string
from zope.component import getUtility

mail = message_from_string(
    """From: News <news@example.com>
To: cats@lists.example
Subject: News
Message-ID: <1@example.com>
List-Id: News <list-3.example.com>
List-Unsubscribe: <https://example.com/u/4.x>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
CFBL-Address: fbl@example.com; report=arf
CFBL-Feedback-ID: 4x
MIME-Version: 1.0
Content-Type: text/plain

News
""",
    Message,
)
getUtility(IDomainManager).add("lists.example")
cats = create_list("cats@lists.example", ["owner@lists.example"])
told = {"recipients": set()}
for handler in config.pipelines[cats.posting_pipeline]:
    # Those that look at the mail, up to its delivery.
    if not handler.name.startswith(("to-", "after-", "acknowledge")):
        handler.process(cats, mail, told)
print("mailman", version("mailman"))
for name in ("List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "CFBL-Address", "CFBL-Feedback-ID"):
    print(f"{name}:", mail.get_all(name))
assert mail.get_all("List-Unsubscribe") == ["<mailto:cats-leave@lists.example>"]
assert mail.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
assert mail.get_all("CFBL-Address") == ["fbl@example.com; report=arf"]
assert mail.get_all("CFBL-Feedback-ID") == ["4x"]
PYTHON
