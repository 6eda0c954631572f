"""The parts of manual and README that follow from the code: settings, commands, operations, headings, closed sets.

Run `.venv/bin/python docs/reference.py` after a change of any of them; a test compares. Examples of commands are in
`examples.toml`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from enum import EnumType
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args

import typer.main

from soapstone import vocabulary
from soapstone.cli import app
from soapstone.contacts.fields import FIELDS
from soapstone.imports.headings import HEADINGS, WHOLE_NAMES
from soapstone.listrak import operations as listrak
from soapstone.listrak import service as listrak_service
from soapstone.magnetmail import operations as magnetmail
from soapstone.magnetmail import service as magnetmail_service
from soapstone.settings import SETTINGS
from soapstone.vocabulary.labelled import Labelled

DOCS = Path(__file__).parent

# What stands between these two lines of a page is written by this script.
BEGIN, END = "<!-- begin: docs/reference.py -->", "<!-- end -->"

with (DOCS / "examples.toml").open("rb") as _file:
    EXAMPLES: dict[str, str] = tomllib.load(_file)

# Options that nearly every command has; the page explains them once.
COMMON = ("--data", "--database")


def settings() -> str:
    """Return the table of settings."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in SETTINGS.items():
        value = field.default
        shown = f"`{json.dumps(value) if isinstance(value, list) else value}`" if value != "" else "empty"
        rows.append(f"| `SOAPSTONE_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def commands(command: Any = None, words: tuple[str, ...] = ("soapstone",)) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with the words that call it."""
    command = command or typer.main.get_command(app)
    inner = getattr(command, "commands", {})
    for name, each in inner.items():
        yield from commands(each, (*words, name))
    if not inner:
        yield " ".join(words), command


def command_line() -> str:
    """Return a section for each command: its purpose, usage, example and own options.

    Raises ValueError when the examples are not those of the commands.
    """
    names = {words for words, _ in commands()}
    if wrong := names ^ EXAMPLES.keys():
        raise ValueError(f"docs/examples.toml needs one example for each command: see {', '.join(sorted(wrong))}")
    return "\n\n".join("\n\n".join(_section(words, command)) for words, command in commands())


def _section(words: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    own = [each for each in options if each.opts[0] not in COMMON]
    usage = [words, *(_argument(each) for each in arguments), *(_option(each) for each in own if each.required)]
    if any(not each.required for each in options):
        usage.append("[OPTIONS]")
    yield f"## {words}"
    yield command.help
    yield f"```text\n{' '.join(usage)}\n```"
    yield f"```sh\n{EXAMPLES[words]}\n```"
    rows = [f"| `{_argument(each)}` | {each.help} |" for each in arguments if each.help]
    rows += [f"| {_names(each)} | {_meaning(each)} |" for each in own]
    if rows:
        yield "\n".join(["| | |", "| --- | --- |", *rows])


def _argument(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> str:
    value = "" if option.is_flag else f" {option.name.upper()}"
    return f"{option.opts[0]}{value}"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _meaning(option: Any) -> str:
    text = option.help.replace("\\", "\\\\")
    kind = option.type_descriptor.annotation
    for part in get_args(kind) or (kind,):
        if isinstance(part, EnumType):
            text += f" One of {', '.join(f'`{each}`' for each in part)}."
    if option.required:
        return f"{text} Required."
    if option.is_flag:
        return f"{text} Default: `{option.opts[0]}`." if option.default else text
    return f"{text} Default: `{option.default}`." if option.default else text


CONTRACTS = (
    ("MagnetMail", magnetmail.CONTRACT, magnetmail_service.available()),
    ("Listrak", listrak.CONTRACT, listrak_service.available()),
)


def numbers() -> str:
    """Return how many operations of each contract work."""
    rows = ["| contract | address | operations that work |", "| --- | --- | --- |"]
    for title, contract, available in CONTRACTS:
        rows.append(f"| {title} | `{contract.path}` | {len(available)} of {len(contract.operations)} |")
    return "\n".join(rows)


def operations() -> str:
    """Return a table for each contract: its operations in the order of the port type, with their state."""
    parts = []
    for title, contract, available in CONTRACTS:
        parts += [f"## {title}", f"`{contract.path}`, {len(available)} of {len(contract.operations)} available."]
        rows = ["| operation | state | what it does |", "| --- | --- | --- |"]
        for operation in contract.operations:
            state = "available" if operation.name in available else "not available yet"
            rows.append(f"| `{operation.name}` | {state} | {operation.description} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def headings() -> str:
    """Return a row for each field: the headings of files that mean it, the better ones first."""
    names = {column: name for name, column in FIELDS.items()}
    rows = ["| field | headings |", "| --- | --- |"]
    for column, others in HEADINGS.items():
        if len(others) > 1:
            rows.append(f"| `{names[column]}` | {', '.join(f'`{each}`' for each in others)} |")
    rows.append(f"| whole names | {', '.join(f'`{each}`' for each in WHOLE_NAMES)} |")
    return "\n".join(rows)


def closed_sets() -> str:
    """Return a table for each closed set: what is stored, what people read, and what it means."""
    for module in iter_modules(vocabulary.__path__):
        import_module(f"{vocabulary.__name__}.{module.name}")
    parts = []
    for terms in sorted(Labelled.__subclasses__(), key=lambda each: each.__name__):
        parts += [
            f"### {re.sub('(?<=[a-z])(?=[A-Z])', ' ', terms.__name__).capitalize()}",
            str(terms.__doc__).split("\n")[0],
        ]
        rows = ["| stored | label | meaning |", "| --- | --- | --- |"]
        parts.append("\n".join(rows + [f"| `{term}` | {term.label} | {term.meaning} |" for term in terms]))
    return "\n\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "settings.md": settings,
    "command-line.md": command_line,
    "operations.md": operations,
    "headings.md": headings,
    "glossary.md": closed_sets,
    "../README.md": numbers,
}


def page(name: str) -> str:
    """Return the page as it should be."""
    text = (DOCS / name).read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{PARTS[name]()}\n\n{END}", text, count=1)


if __name__ == "__main__":
    for part in PARTS:
        (DOCS / part).write_text(page(part), encoding="utf-8")
