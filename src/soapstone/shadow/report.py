"""The report: operations used, which are available here, and how each member of their answers compares."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from soapstone.listrak.service import available as listrak_available
from soapstone.magnetmail.service import available as magnetmail_available
from soapstone.shadow.comparison import Found
from soapstone.shadow.masking import Mask
from soapstone.shadow.numbers import CONTRACTS
from soapstone.store import private
from soapstone.vocabulary.agreements import Agreement

MOST_EXAMPLES = 3
"""Differences of one member that are kept as examples."""
MOST_PLACES = 5000
"""Members that are counted; only members that no contract declares could be more."""
_MOST_POLLS = 10_000


class Report:
    """What was found so far, as a document of JSON: `document`. Whoever reads it holds `changing`."""

    def __init__(self, live: str, document: Mapping[str, Any] | None = None) -> None:
        """Begin a report, or go on with `document`."""
        begun: dict[str, Any] = {"live": live, "began": "", "until": "", "calls": 0, "skipped": {}, "operations": {}}
        self.document: dict[str, Any] = begun | dict(document or {}) | {"live": live}
        self._available = dict(zip(CONTRACTS, (magnetmail_available(), listrak_available()), strict=True))
        self._paths = {contract.name: path for path, contract in CONTRACTS.items()}
        self._places = sum(len(each["members"]) for each in self.document["operations"].values())
        # The places that differ in the last poll of a job: a later poll says what of it was progress.
        self._polls: dict[str, set[str]] = {}
        self._mask = Mask()
        self.changing = Lock()

    def skip(self, reason: str, count: int = 1) -> None:
        """Count calls of which nothing else is known."""
        with self.changing:
            self.document["calls"] += count
            self._count(self.document["skipped"], reason, count)

    def add(
        self,
        contract: str,
        operation: str,
        at: datetime,
        *,
        found: Iterable[Found] = (),
        faults: tuple[bool, bool] = (False, False),
        skipped: str = "",
        available: bool = True,
        poll: str = "",
    ) -> None:
        """Add a call: `faults` are those of the live service and of ours; `skipped` says why it is not compared.

        `poll` names what polls of one job have in common.
        """
        moment = at.isoformat(timespec="seconds")
        with self.changing:
            document = self.document
            document["began"] = min(document["began"] or moment, moment)
            document["until"] = max(document["until"], moment)
            document["calls"] += 1
            if skipped:
                self._count(document["skipped"], skipped)
            if not operation:
                return
            key = f"{contract}: {operation}"
            known = operation in self._available[self._paths[contract]]
            entry = document["operations"].setdefault(
                key, {"calls": 0, "compared": 0, "available": known, "faults": [0, 0], "members": {}, "examples": {}}
            )
            entry["calls"] += 1
            entry["available"] = entry["available"] and available
            if skipped or not available:
                return
            entry["compared"] += 1
            entry["faults"] = [count + fault for count, fault in zip(entry["faults"], faults, strict=True)]
            different = set()
            for each in found:
                self._add_member(entry, each, moment)
                if each.agreement is Agreement.DIFFERENT:
                    different.add(each.place)
            if poll:
                self._settle(entry, poll, different)

    def _add_member(self, entry: dict[str, Any], found: Found, moment: str) -> None:
        if found.place not in entry["members"]:
            if self._places >= MOST_PLACES:
                return
            self._places += 1
        self._count(entry["members"].setdefault(found.place, {}), found.agreement)
        if found.agreement is Agreement.DIFFERENT:
            examples = entry["examples"].setdefault(found.place, [])
            if len(examples) < MOST_EXAMPLES:
                values = [
                    None if value is None else self._shown(found.place, value) for value in (found.live, found.ours)
                ]
                examples.append({"at": moment, "live": values[0], "ours": values[1]})

    def _shown(self, place: str, value: str) -> str:
        return self._mask.text(tuple(place.split("/")), value)

    def _settle(self, entry: dict[str, Any], poll: str, different: set[str]) -> None:
        """Take back what differed in an earlier poll of the same job: it was a matter of time unless it differs now."""
        for place in self._polls.pop(poll, set()):
            members = entry["members"][place]
            members[Agreement.DIFFERENT] -= 1
            self._count(members, Agreement.TIME)
            if not members[Agreement.DIFFERENT]:
                del members[Agreement.DIFFERENT]
                entry["examples"].pop(place, None)
        if len(self._polls) >= _MOST_POLLS:
            self._polls.pop(next(iter(self._polls)))
        self._polls[poll] = {place for place in different if place in entry["members"]}

    @staticmethod
    def _count(counts: dict[str, int], name: str, count: int = 1) -> None:
        counts[str(name)] = counts.get(str(name), 0) + count


def differences(document: Mapping[str, Any]) -> int:
    """Return the number of unexplained differences."""
    return sum(
        counts.get(Agreement.DIFFERENT, 0)
        for entry in document["operations"].values()
        for counts in entry["members"].values()
    )


def decision(document: Mapping[str, Any]) -> str:
    """Return the first line, by which the owner decides."""
    operations = document["operations"].values()
    available = sum(each["available"] for each in operations)
    line = (
        f"{_counted(len(operations), 'operation')} used, {available} available, "
        f"{_counted(differences(document), 'unexplained difference')} in {_span(document)}"
    )
    left = document["calls"] - sum(each["compared"] for each in operations)
    return f"{line}; {left} of {_counted(document['calls'], 'call')} not compared" if left else line


def as_text(document: Mapping[str, Any]) -> str:
    """Return the report as plain text."""
    lines = [decision(document), "", f"Live service: {document['live'] or 'a recording'}"]
    lines += [f"Not compared, {reason}: {count}" for reason, count in sorted(document["skipped"].items())]
    if proxy := document.get("proxy"):
        lines.append("Calls since the start: " + ", ".join(f"{count} {name}" for name, count in proxy.items()))
    for name, entry in _by_use(document):
        here = "" if entry["available"] else ", not available here"
        faults = "" if not any(entry["faults"]) else ", faults {} there and {} here".format(*entry["faults"])
        lines += ["", f"{name}: {_counted(entry['calls'], 'call')}, {entry['compared']} compared{faults}{here}"]
        for place, counts in sorted(entry["members"].items()):
            told = ", ".join(f"{counts[each]} {each.label}" for each in Agreement if counts.get(each))
            lines.append(f"  {place}: {told}")
            for example in entry["examples"].get(place, ()):
                lines.append(f"    {example['at']}  there {example['live']!r}  here {example['ours']!r}")
    return "\n".join(lines) + "\n"


def as_page(document: Mapping[str, Any]) -> str:
    """Return the report as an HTML page without scripts."""
    agreements = list(Agreement)
    heads = "".join(f'<th title="{html.escape(each.meaning)}">{each.label}</th>' for each in agreements)
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Shadow</title><style>'
        "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;"
        "border-bottom:1px solid #ccc}.bad{background:#fdd}</style></head><body>",
        f"<h1>{html.escape(decision(document))}</h1>",
        f"<p>Live service: {html.escape(str(document['live']))}</p><ul>",
        *(f"<li>Not compared, {html.escape(why)}: {count}</li>" for why, count in sorted(document["skipped"].items())),
        *(f"<li>Since the start, {html.escape(name)}: {n}</li>" for name, n in document.get("proxy", {}).items()),
        "</ul>",
    ]
    for name, entry in _by_use(document):
        here = "" if entry["available"] else ", <b>not available here</b>"
        faults = "faults {} there, {} here".format(*entry["faults"])
        told = f"{_counted(entry['calls'], 'call')}, {entry['compared']} compared, {faults}{here}"
        parts.append(
            f"<h2>{html.escape(name)}</h2><p>{told}</p><table><tr><th>member</th>{heads}<th>examples</th></tr>"
        )
        for place, counts in sorted(entry["members"].items()):
            bad = ' class="bad"' if counts.get(Agreement.DIFFERENT) else ""
            cells = "".join(f"<td>{counts.get(each, '')}</td>" for each in agreements)
            shown = "<br>".join(
                html.escape(f"there {each['live']!r}, here {each['ours']!r}")
                for each in entry["examples"].get(place, ())
            )
            parts.append(f"<tr{bad}><td>{html.escape(place)}</td>{cells}<td>{shown}</td></tr>")
        parts.append("</table>")
    return "\n".join([*parts, "</body></html>\n"])


def save(document: Mapping[str, Any], file: Path) -> None:
    """Write a report in the place of an earlier one."""
    beside = file.with_suffix(".new")
    with private.create(beside) as written:
        written.write(json.dumps(document).encode())
    beside.replace(file)


def load(file: Path) -> dict[str, Any] | None:
    """Return the report of a file; None if there is none."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _by_use(document: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(document["operations"].items(), key=lambda each: (-each[1]["calls"], each[0]))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _span(document: Mapping[str, Any]) -> str:
    if not document["began"]:
        return "no time"
    seconds = (datetime.fromisoformat(document["until"]) - datetime.fromisoformat(document["began"])).total_seconds()
    for size, noun in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return _counted(round(seconds / size), noun)
    return _counted(max(round(seconds), 1), "second")
