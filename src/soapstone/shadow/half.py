"""Our half of a shadow, a process of its own: it plays, compares and records what the proxy hands over."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO

from soapstone.errors import SoapstoneError
from soapstone.logs import configure_logs
from soapstone.settings import read_settings
from soapstone.shadow.exchange import decompressed, read_frame
from soapstone.shadow.migrated import learn_migrated
from soapstone.shadow.numbers import Numbers
from soapstone.shadow.player import Player
from soapstone.shadow.recording import Recording
from soapstone.shadow.report import Report, load, save
from soapstone.shadow.targets import LOGIN, scratch

log = logging.getLogger(__name__)

REPORT = "report.json"
_NICE = 19
_LEAST_PAUSE = 0.5
_SHARE = 20
"""Pause between two writings of the report, in durations of one."""


def command(folder: Path, live: str, record: Path | None, *, masks: bool) -> list[str]:
    """Return the command that starts our half in a folder."""
    recording = [] if record is None else ["--record", str(record.absolute()), *([] if masks else ["--unmasked"])]
    return [sys.executable, "-m", "soapstone.shadow.half", str(folder.absolute()), live, *recording]


def run(frames: BinaryIO, folder: Path, live: str, recording: Recording | None) -> None:
    """Take calls until their pipe ends."""
    with (
        scratch(folder / "records", read_settings()) as target,
        closing(Numbers(folder / "numbers.jsonl")) as numbers,
    ):
        learn_migrated(numbers, folder / "records")
        report = Report(live, load(folder / REPORT))
        player = Player(target, LOGIN, target.password, numbers, report, live=live)
        skipped: Counter[str] = Counter()
        with _saving(report, folder / REPORT):
            while (taken := read_frame(frames)) is not None:
                exchange, head = taken
                for reason, count in (Counter(head["skipped"]) - skipped).items():
                    report.skip(reason, count)
                skipped = Counter(head["skipped"])
                try:
                    plain = decompressed(exchange, *head["encodings"])
                    if plain is None:
                        report.skip("unreadable bodies")
                        continue
                    if recording is not None and not recording.add(plain):
                        report.skip("not recorded: unreadable bodies", 0)
                    player.play(plain)
                except Exception:
                    # The next call may be better.
                    log.exception("a call could not be played")
                    report.skip("failed here")
                finally:
                    # For the count of what is lost when this process is killed.
                    os.write(sys.stdout.fileno(), b".")


@contextmanager
def _saving(report: Report, file: Path) -> Iterator[None]:
    """Write the report now and then, and at the end."""
    ending = Event()

    def write() -> float:
        began = time.monotonic()
        with report.changing:
            save(report.document, file)
        return time.monotonic() - began

    def write_often() -> None:
        took = 0.0
        while not ending.wait(max(_LEAST_PAUSE, took * _SHARE)):
            took = write()

    saving = Thread(target=write_often, name="report")
    saving.start()
    try:
        yield
    finally:
        ending.set()
        saving.join()
        write()


def main() -> None:
    """Run as a program: `FOLDER LIVE [--record FILE [--unmasked]]`, calls on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("live")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--unmasked", action="store_true")
    given = parser.parse_args()
    os.umask(0o077)
    # Ctrl-C is for the server, which ends this process by the end of its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The proxy and the rest of the machine come first. Not in a session of its own: Linux shares out time by session.
    os.nice(_NICE)
    settings = read_settings()
    configure_logs(settings.log_format, settings.log_level)
    with ExitStack() as opened:
        try:
            recording = None
            if given.record:
                recording = opened.enter_context(closing(Recording(given.record, masks=not given.unmasked)))
            run(sys.stdin.buffer, given.folder, given.live, recording)
        except SoapstoneError as trouble:
            sys.exit(str(trouble))


if __name__ == "__main__":
    main()
