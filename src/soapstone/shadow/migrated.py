"""Numbers of the live service that a migration into the scratch account has given numbers here."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.migration.journal import FOLDER, read_numbers
from soapstone.shadow.numbers import Numbers

log = logging.getLogger(__name__)

# Contract of a migration → its name, and the kinds of numbers as migrations and as shadows name them.
_KINDS = {
    "listrak": (
        LISTRAK.name,
        {
            "list": ["list"],
            "profile attribute": ["attribute"],
            "profile header": ["attribute header"],
            "campaign": ["campaign"],
            "external event": ["event"],
            "import": ["job"],
            "message": ["saved message", "transactional message"],
            "sent message": ["message"],
            "link": ["link"],
        },
    ),
    "magnetmail": (
        MAGNETMAIL.name,
        {
            "list": ["group"],
            "recipient": ["recipient"],
            "group category": ["group category"],
            "message category": ["message category"],
            "message": ["message"],
            "link": ["link"],
        },
    ),
}


def learn_migrated(numbers: Numbers, records: Path) -> None:
    """Learn the numbers of all migrations into the records of this folder."""
    for path in sorted((records / FOLDER).glob("*.sqlite")):
        try:
            contract, rows = read_numbers(path)
        except sqlite3.Error as trouble:
            log.warning("the numbers of the migration in %s are not known: %s", path, trouble)
            continue
        name, kinds = _KINDS.get(contract, ("", {}))
        for kind, theirs, ours in rows:
            for each in kinds.get(kind, ()):
                numbers.learn(name, each, str(theirs), str(ours))
