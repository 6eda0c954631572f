"""`--json`: a command's output as JSON, in the shapes of the REST API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

import typer
from pydantic_core import to_json

from soapstone.commands.common import write_bytes

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

# Control characters that JSON does not escape.
_CONTROLS = re.compile("[\x7f-\x9f]")


def print_json(found: object) -> None:
    """Print a document. Numbers are numbers, and times are ISO 8601 in UTC."""
    write_bytes([_text(found).encode(), b"\n"])


def print_all(found: Iterable[Any], shape: Callable[[Any], object]) -> None:
    """Print an array of what `shape` makes of each record, one after the other as they are read."""

    def pieces() -> Iterator[bytes]:
        mark = "[\n"
        for each in found:
            yield f"{mark}{_text(shape(each))}".encode()
            mark = ",\n"
        yield b"[]\n" if mark == "[\n" else b"\n]\n"

    write_bytes(pieces())


def _text(found: object) -> str:
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", to_json(found, indent=2).decode())
