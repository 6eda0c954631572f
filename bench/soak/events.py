"""Twenty million events on SQLite: the speed of recording as they grow, their size, and the time of reports' pages.

    python bench/soak/events.py [--events 20000000] [--older 0.1] [--folder FOLDER]

A list of 20,000 people gets a message again and again. After each send 200,000 spooled opens (70 %) and clicks (30 %)
are recorded: those of the new mails, and a share `--older` of mails of any earlier message, each as likely as another.
The recorder's CPU time for an event is printed for each million. At one million and at the end, all reports of a
message with pages are read, the first page and the last full one in turn, both a median of seven.

Ends with status 1 when the last million takes more than 1.5 times as long as the first, less than 40,000 events a
second of CPU time are recorded then, or a last page takes more than twice as long as its first one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from sqlalchemy import func, insert, select  # noqa: E402
from tests.listrak.desk import Desk  # noqa: E402 - it lies beside the package
from tests.tracking.ledger import send  # noqa: E402

from soapstone.accounts.account import Account  # noqa: E402
from soapstone.clock import now  # noqa: E402
from soapstone.heap import collect_rarely  # noqa: E402
from soapstone.listrak.operations import CONTRACT  # noqa: E402
from soapstone.product import Product  # noqa: E402
from soapstone.settings import Settings  # noqa: E402
from soapstone.store import schema  # noqa: E402
from soapstone.store.database import Database  # noqa: E402
from soapstone.store.tables import deliveries, event_counters, sends  # noqa: E402
from soapstone.store.timestamps import EPOCH  # noqa: E402
from soapstone.tracking.recorder import Recorder  # noqa: E402
from soapstone.tracking.spool import SUFFIX, SpoolRecord  # noqa: E402
from soapstone.vocabulary.tracking import MailEventKind  # noqa: E402
from tracking import AGENT, LEAST_EVENTS, MAILS, RECORDS, to_list  # noqa: E402

MILLION = 1_000_000
MOST_GROWTH, MOST_FOR_A_PAGE = 1.5, 2.0


class Newsletter:
    """The records, and the mails of each message so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "spool").mkdir(parents=True)
        self.database = Database(f"sqlite:///{folder / 'soapstone.sqlite'}")
        schema.upgrade(self.database)
        self.product = Product.open(Settings(data_dir=folder), self.database)
        self.account: Account = self.product.accounts.create("ACME", time_zone="UTC")
        self.product.accounts.add_login(self.account, "ann", "secret")
        first = send(self.database, self.account, MAILS, links=20)
        to_list(self.database, first)
        self.messages = [(first.message_id, first.mails)]
        with self.database.read() as connection:
            self._mails = [dict(row) for row in connection.execute(select(deliveries)).mappings()]
            self._list_id = connection.execute(select(sends.c.list_id)).scalar_one()

    def send(self) -> None:
        """Send another message to everybody."""
        one = send(self.database, self.account, 1, links=20)
        more = {"message_id": one.message_id, "job_id": one.job_id}
        last = one.mails[0]
        rows = [{**row, **more, "id": last + place} for place, row in enumerate(self._mails)]
        with self.database.write() as connection:
            connection.execute(sends.update().where(sends.c.job_id == one.job_id).values(list_id=self._list_id))
            connection.execute(insert(deliveries), rows[1:])
        self.messages.append((one.message_id, [row["id"] for row in rows]))

    def react(self, dice: random.Random, older: float) -> None:
        """Spool what people do after the last message."""
        moment = (now() - EPOCH).total_seconds() - 3600
        for part in range(4):
            with (self.folder / "spool" / f"{len(self.messages):015x}{part}-00000001{SUFFIX}").open("wb") as file:
                for each in range(RECORDS // 4):
                    click = dice.random() < 0.3
                    among = self.messages if dice.random() < older else self.messages[-1:]
                    message_id, mails = dice.choice(among)
                    place = dice.randrange(1, 21) if click else 0
                    kind = MailEventKind.CLICK if click else MailEventKind.OPEN
                    address = b"192.0.%d.%d" % (dice.randrange(256), dice.randrange(256))
                    at = int((moment + each / 100) * 1e6)
                    file.write(SpoolRecord(at, kind, message_id, dice.choice(mails), place, address, AGENT).encoded())

    def record(self) -> float:
        """Record what is spooled; return the seconds of CPU time."""
        recorder = Recorder(self.database, self.folder / "spool", machine_seconds=5)
        began = time.process_time()
        while recorder.round():
            pass
        spent = time.process_time() - began
        recorder.close()
        return spent

    def stored(self) -> int:
        """The number of events."""
        counted = select(func.coalesce(func.sum(event_counters.c.last), 0)).where(event_counters.c.scope == "account")
        with self.database.read() as connection:
            return int(connection.execute(counted).scalar_one())


def pages(newsletter: Newsletter) -> float:
    """Print the time of first and last pages; return the largest ratio of a last one to its first one."""
    desk, worst = Desk(newsletter.product, "ann"), 0.0
    message_id = newsletter.messages[0][0]
    for operation in CONTRACT.operations:
        known = operation.request_type.all_members_by_name
        if not {"MsgID", "Page"} <= known.keys():
            continue
        dates = {"StartDate": now().replace(year=2000, tzinfo=None), "EndDate": now().replace(year=2100, tzinfo=None)}
        given = {"MsgID": message_id, **{name: value for name, value in dates.items() if name in known}}

        def page(number: int, name: str = operation.name, given: dict[str, Any] = given) -> Any:
            answer = getattr(desk, name)(Page=number, **given)
            return answer[f"{name}Result"] if isinstance(answer, dict) else answer

        if not page(1):
            continue
        last = 1
        while page(last * 2):
            last *= 2
        step = last // 2
        while step:
            last, step = (last + step if page(last + step) else last), step // 2
        # The last page may be short.
        last = max(1, last - 1)
        first_seconds, last_seconds = in_turn(partial(page, 1), partial(page, last))
        worst = max(worst, last_seconds / first_seconds)
        print(
            f"  {operation.name}: page 1 {1000 * first_seconds:.1f} ms, page {last} {1000 * last_seconds:.1f} ms",
            flush=True,
        )
    return worst


def in_turn(*calls: Callable[[], Any]) -> list[float]:
    """The median times of some calls in seconds, of seven rounds in turn."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(7):
        for call, times in zip(calls, found, strict=True):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
    return [median(times) for times in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20 * MILLION)
    parser.add_argument("--older", type=float, default=0.1)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(TemporaryDirectory()))
        newsletter, dice = Newsletter(folder / "data"), random.Random(17)
        collect_rarely()
        stored, spent, before, rates, worst = 0, 0.0, 0, [], 0.0
        while stored < given.events:
            if stored:
                newsletter.send()
            newsletter.react(dice, given.older)
            spent += newsletter.record()
            stored = newsletter.stored()
            if stored // MILLION > before // MILLION or stored >= given.events:
                rates.append((stored - before) / spent)
                newsletter.database.checkpoint()
                size = (folder / "data" / "soapstone.sqlite").stat().st_size / 1e6
                print(
                    f"{stored:,} events, {size:,.0f} MB: {1e6 / rates[-1]:.1f} µs of CPU for each of the last "
                    f"{stored - before:,}, {rates[-1]:,.0f} a second",
                    flush=True,
                )
                if len(rates) == 1 or stored >= given.events:
                    worst = max(worst, pages(newsletter))
                before, spent = stored, 0.0
        newsletter.database.close()
    growth = rates[0] / rates[-1]
    print(f"The last events take {growth:.2f} times as long as the first, and a last page {worst:.2f} times at most.")
    sys.exit(growth > MOST_GROWTH or rates[-1] < LEAST_EVENTS or worst > MOST_FOR_A_PAGE)


if __name__ == "__main__":
    main()
