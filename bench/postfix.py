"""A hundred thousand mails into a real postfix: minutes of a signed newsletter beside those of postfix's own client.

    python bench/postfix.py [--mails 100000] [--connections 8] [--folder FOLDER]

Postfix is Debian's, in a root of its own (tests/interop/mail_servers.py, which needs root, and fetches it into the
folder unless it is there). It takes all mail and throws it away behind its queue. The newsletter is that of
bench/sending.py, sent by `soapstone worker` with a signature of RSA-2048, and with one of ed25519. Then
`smtp-source` sends one finished message of the same size as often, over as many connections. All of them share the
cores of the machine. A send ends when the ledger has every mail; each mail that postfix let through is counted in its
log.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import crowd
import served
from installation import Installation

from sending import MESSAGE, signing

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.interop.mail_servers import Root, inside

SECONDS = 600
SENT = b"status=sent"


class Postfix:
    """A postfix that throws away what it has taken."""

    def __init__(self, folder: Path) -> None:
        root = Root(folder / "servers", "postfix", folder / "state")
        root.prepare()
        self.port, self._log, self._root = served.free_port(), folder / "postfix.log", root
        self._pid = root.start(self.port, self._log)
        inside(
            self._pid, "postconf", "-e", "default_transport = discard:", "default_destination_concurrency_limit = 20"
        )
        inside(self._pid, "postfix", "reload")
        self._counted = 0

    def close(self) -> None:
        """End it."""
        self._root.stop()

    def count(self, mails: int) -> None:
        """Wait until it has let this many further mails through its queue. Ends the program if it does not."""
        self._counted += mails
        end = time.monotonic() + SECONDS
        while (found := self._log.read_bytes().count(SENT)) < self._counted:
            if time.monotonic() > end:
                raise SystemExit(f"{found} mails came, not {self._counted}")
            time.sleep(0.5)
        if found > self._counted:
            raise SystemExit(f"{found} mails came, not {self._counted}")

    def smtp_source(self, mails: int, connections: int, size: int) -> float:
        """Send one finished message so often with its own client; the seconds."""
        options = ["-s", connections, "-m", mails, "-l", size, "-d", "-f", "ann@example.com", "-t", "bob@example.org"]
        began = time.perf_counter()
        inside(self._pid, "smtp-source", *map(str, options), f"inet:127.0.0.1:{self.port}")
        return time.perf_counter() - began


def send(folder: Path, postfix: Postfix, mails: int, settings: dict[str, str]) -> float:
    """Send the newsletter to so many people; the seconds."""
    file = folder / "people.csv"
    folder.mkdir()
    crowd.make(file, crowd.clean(mails))
    with Installation(folder / "data", settings=settings) as here:
        here.run(file)
        ticket = here.product.sends.to_list(account=here.account, login=None, contact_list=here.list, message=MESSAGE)
        done = here.finish(ticket.job.id)
        if {name: number for name, number in done.job.counters.items() if number} != {"chosen": mails, "handed": mails}:
            raise SystemExit(f"{done.job.counters} is in the ledger, not {mails}")
    postfix.count(mails)
    return done.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--size", type=int, default=5_800, help="Octets of the message of smtp-source.")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(TemporaryDirectory()))
        postfix = stack.enter_context(closing(Postfix(folder)))
        keys = {
            "RSA-2048": signing(folder / "rsa.pem", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
            "ed25519": signing(folder / "ed25519.pem", "ED25519"),
        }
        common = {
            "SOAPSTONE_PUBLIC_URL": "https://lists.example.com",
            "SOAPSTONE_SMTP_URL": f"smtp://127.0.0.1:{postfix.port}",
            "SOAPSTONE_SMTP_CONNECTIONS": str(given.connections),
            "SOAPSTONE_SMTP_HOSTNAME": "client.example",
        }
        for place, (name, more) in enumerate(keys.items()):
            seconds = send(folder / f"send-{place}", postfix, given.mails, {**common, **more})
            print(f"{name}: {seconds / 60:.1f} minutes, {given.mails / seconds:,.0f} mails/s", flush=True)
        seconds = postfix.smtp_source(given.mails, given.connections, given.size)
        postfix.count(given.mails)
        print(f"smtp-source: {seconds / 60:.1f} minutes, {given.mails / seconds:,.0f} mails/s", flush=True)


if __name__ == "__main__":
    main()
