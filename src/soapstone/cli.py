"""The command line: `soapstone …`. The module of a command is loaded when the command is called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version as installed_version
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from soapstone.errors import SoapstoneError
from soapstone.heap import loading


class Place(NamedTuple):
    """The module of `soapstone.commands` that has a command, and what the list of commands says of it.

    The module's `app` is the command if it `is_group`, else has it.
    """

    module: str
    help: str
    is_group: bool = True


PLACES = {
    "serve": Place("servers", "Serve both contracts, the console and the worker.", False),
    "web": Place("servers", "Serve both contracts and the console; workers run elsewhere.", False),
    "worker": Place("servers", "Run jobs.", False),
    "settings": Place(
        "settings", "Show all settings with their values and sources, without passwords; or check them.", False
    ),
    "dkim": Place("settings", "Show the DNS text records that publish the DKIM keys of the settings.", False),
    "import": Place(
        "imports", "Import a file of contacts into a list and watch it; exit code 1 unless it completes.", False
    ),
    "bounce": Place(
        "bounces",
        "Take a bounce or complaint from standard input, as a mail server pipes it; exit code 0 or 75.",
        False,
    ),
    "replay": Place("replay", "Play recorded calls on a server, and report how its answers compare.", False),
    "migrate": Place("migrate", "Move an account here from a live service.", False),
    "account": Place("accounts", "Accounts and logins."),
    "list": Place("lists", "Lists of contacts."),
    "message": Place("messages", "Stored messages."),
    "send": Place("sends", "Send stored messages and follow their delivery."),
    "track": Place("track", "Show the results of sent mails."),
    "contact": Place("contacts", "Export and delete a person's data, and open channels."),
    "category": Place("categories", "Categories of lists and of messages."),
    "event": Place("external_events", "External events of lists."),
    "attribute": Place("attributes", "Profile attributes of lists."),
    "campaign": Place("campaigns", "Campaigns of lists."),
    "review": Place("review_groups", "Review groups of lists."),
    "search": Place("saved_searches", "Searches for contacts."),
    "mapping": Place("mappings", "Objects of the membership system Personify and their counterparts here."),
    "occasion": Place("event_sign_ups", "Events and their sign-ups."),
    "token": Place("tokens", "Tokens for the REST API."),
    "jobs": Place("jobs", "Jobs: imports and sends."),
    "db": Place("database", "The database's schema and backups."),
}


class _Loading(Mapping[str, Any]):
    """The commands by name; each is loaded when it is asked for."""

    def __init__(self, here: Mapping[str, Any]) -> None:
        self._loaded = dict(here)

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            place = PLACES[name]
            with loading():
                command: Any = get_group(import_module(f"soapstone.commands.{place.module}").app)
            if not place.is_group:
                command = command.commands[name]
            command.name = name
            self._loaded[name] = command
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*PLACES, *(self._loaded.keys() - PLACES.keys())])

    def __len__(self) -> int:
        return len(PLACES.keys() | self._loaded.keys())


class Commands(TyperGroup):
    """Commands that are loaded when they are called, and that report an error in one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = _Loading(self.commands)
        self._lists = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; while the list of commands is made, only what that list shows."""
        if self._lists and cmd_name in PLACES:
            return TyperCommand(cmd_name, help=PLACES[cmd_name].help)
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, with the list of commands."""
        self._lists = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._lists = False

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except SoapstoneError as error:
            from soapstone.commands.common import sentence_of, stop

            stop(sentence_of(error))


app = typer.Typer(
    no_args_is_help=True,
    cls=Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def start(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A self-hosted e-mail list server that speaks the MagnetMail and Listrak v31 SOAP contracts."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(installed_version("soapstone"))


def main() -> None:
    """Run the command line. All files that it writes are private to this user."""
    os.umask(0o077)
    app()
