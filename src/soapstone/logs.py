"""Logging: one line per event on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from soapstone.log_context import bound

log = logging.getLogger(__name__)

# Fields that identify a request or job, in the order of a line.
CONTEXT = ("interface", "request_id", "job")
# Attributes of every record, and uvicorn's own with terminal colours.
_NOT_TOLD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
# Characters of values written without quotes.
_PLAIN = frozenset("!#$%&()*+,-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~")


def configure_logs(form: str = "text", level: str = "info", process: str = "") -> None:
    """Send the logs of this process to standard error. `form` is "text" or "json", `level` a level's name.

    `process` is its name where several ones do the same work; each line has it.

    The level applies to this program's own loggers. Libraries log from warnings on: at lower levels they
    would log their data, including addresses and credentials.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form, process))
    least = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(least, logging.WARNING))
    logging.getLogger("soapstone").setLevel(least)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda given: _log_uncaught(
        given.exc_type, given.exc_value or given.exc_type(), given.exc_traceback
    )


class LineFormatter(logging.Formatter):
    """Formats records. Input cannot forge a line, since unprintable characters are escaped.

    In text a line is `TIME [LEVEL] LOGGER: EVENT NAME=VALUE …`; the lines of a stack trace follow, indented. In JSON
    it is one object, with the stack trace as its member `exception`.
    """

    def __init__(self, form: str, process: str = "") -> None:
        super().__init__()
        self._own = {"process": process} if process else {}
        self._line = _json_line if form == "json" else _text_line

    def format(self, record: logging.LogRecord) -> str:
        known = bound()
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            # Some traces end with a line break.
            "event": record.getMessage().strip(),
            **{name: value for name, value in record.__dict__.items() if name not in _NOT_TOLD},
            **{name: known[name] for name in CONTEXT if name in known},
            **self._own,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self._line(fields)


def _json_line(fields: dict[str, Any]) -> str:
    ordered = {name: fields.pop(name) for name in ("time", "level", "logger", "event")}
    return json.dumps({**ordered, **fields}, default=str)


def _text_line(fields: dict[str, Any]) -> str:
    time, level, name, event = (fields.pop(each) for each in ("time", "level", "logger", "event"))
    trace = fields.pop("exception", "")
    line = " ".join([f"{time} [{level}] {name}: {_printable(event)}", *(f"{n}={_value(v)}" for n, v in fields.items())])
    return "\n".join([line, *(f"    {_printable(each)}" for each in trace.splitlines())])


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _value(value: object) -> str:
    text = str(value)
    if text and _PLAIN.issuperset(text):
        return text
    return '"' + _printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("the process or a thread of it ends by an error", exc_info=(kind, error, trace))
