"""How SQLite looks for what recording needs: by keys, however much is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from tests.tracking.ledger import send

from soapstone.accounts.account import Accounts
from soapstone.clock import Shift, shifted
from soapstone.store.database import Database
from soapstone.store.tables import tracked_links
from soapstone.tracking.bounce_classes import Bounce
from soapstone.tracking.recording import Act, FinalResult, record_acts, record_bounces, record_results
from soapstone.vocabulary.tracking import BounceClass
from soapstone.vocabulary.tracking import MailEventKind as Kind


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_is_looked_through_from_end_to_end(database: Database) -> None:
    sent = send(database, Accounts(database).create("ACME", time_zone="UTC"), 4, links=2)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        asked.append((statement, parameters[0] if many else parameters))

    with database.write() as connection:
        link = connection.execute(select(tracked_links.c.id).limit(1)).scalar_one()
        asked.clear()
        record_results(connection, [FinalResult(delivery_id=mail) for mail in sent.mails])
        acts = [Act(Kind.OPEN, sent.mails[0]), Act(Kind.CLICK, sent.mails[1], link)]
        record_acts(connection, acts)
        # New counters beside some that are ahead of the clock are dated by a statement of their own.
        with shifted(Shift(timedelta(hours=-1))):
            record_acts(connection, [*acts, Act(Kind.MACHINE_OPEN, sent.mails[0])])
        bounce = Bounce(bounce_class=BounceClass.HARD, reason="User Unknown", code="5.1.1", detail="no such user")
        record_bounces(connection, dict.fromkeys(sent.mails[2:], bounce))
    event.remove(database.engine, "before_cursor_execute", note)
    assert any("event_counter SET last_at" in statement for statement, _ in asked)
    small = ("SCAN given", "SCAN json_each", "SCAN anon", "SCAN (subquery", "SCAN CONSTANT ROW")
    with database.read() as connection:
        for statement, parameters in asked:
            if statement.startswith("INSERT") and "SELECT" not in statement:
                # Its plan shows what foreign keys would read of a row that is not there yet.
                continue
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
                looks_through = row[3].startswith("SCAN") and "CONSTANT ROW" not in row[3]
                assert not looks_through or row[3].startswith(small), f"{row[3]}: {statement}"
