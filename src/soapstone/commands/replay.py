"""`soapstone replay`: play recorded calls on any server, and compare the answers with the recorded ones."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from soapstone.commands.common import settings_of, stop, write_bytes
from soapstone.commands.output import Json, print_json

app = typer.Typer()

File = Annotated[Path, typer.Argument(help="A recording of serve --shadow --record, or a HAR file.")]
Url = Annotated[
    str | None, typer.Option("--url", help="Server to play the calls on; a scratch account of this program by default.")
]
Login = Annotated[str | None, typer.Option("--login", help="With --url: the login there.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="With --url: file with its password.")]


@app.command()
def replay(
    file: File, url: Url = None, login: Login = None, password_file: PasswordFile = None, as_json: Json = False
) -> None:
    """Play recorded calls on a server, and report how its answers compare. Exit code 1 if any is unexplained."""
    from soapstone.shadow.numbers import Numbers
    from soapstone.shadow.player import Player, Target
    from soapstone.shadow.recording import read_recording
    from soapstone.shadow.report import Report, as_text, differences
    from soapstone.shadow.targets import LOGIN, Remote, scratch

    if url and not (login and password_file):
        stop("--url needs --login and --password-file: a recording has no credentials.")
    if not url and (login or password_file):
        stop("--login and --password-file are only for a server: add --url.")
    report = Report("")
    with ExitStack() as opened:
        if url and login and password_file:
            target: Target = Remote(url)
            try:
                password = password_file.read_text("utf-8").rstrip("\r\n")
            except (OSError, ValueError):
                stop(f"Cannot read {password_file}.")
        else:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="soapstone-")))
            inside = opened.enter_context(scratch(folder / "records", settings_of()))
            target, login, password = inside, LOGIN, inside.password
        player = Player(target, login, password, Numbers(), report)
        for exchange in read_recording(file):
            player.play(exchange)
    if as_json:
        print_json(report.document)
    else:
        write_bytes([as_text(report.document).encode()])
    if differences(report.document):
        raise typer.Exit(1)
