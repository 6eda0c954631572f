"""`soapstone settings` and `dkim`: what a server would run with."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from soapstone.commands.common import Data, DatabaseUrl, settings_of, stop
from soapstone.commands.output import Json, console, print_json
from soapstone.commands.startup_checks import check_settings
from soapstone.settings import PREFIX, SETTINGS, source_of

app = typer.Typer()


@app.command("settings")
def show_settings(
    check: Annotated[
        bool, typer.Option("--check", help="Only check whether a server can start with them: exit code 0 or 1.")
    ] = False,
    as_json: Json = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Show all settings with their values and sources, without passwords; or check them."""
    settings, table = settings_of(data, database), Table("Setting", "Value", "Source", "Meaning")
    if check:
        check_settings(settings)
        console.print("All settings can be used.")
        return
    flags = {name for name, given in (("data_dir", data), ("database_url", database)) if given is not None}
    # Passwords stay out of the output.
    safe = {"database_url": settings.database_url and settings.safe_database_url, "smtp_url": settings.safe_smtp_url}
    passwords = ("secret_key", "metrics_token", "admin_password", "relay_key")
    safe |= {name: "***" if getattr(settings, name) else "" for name in passwords}
    rows = []
    for name, field in SETTINGS.items():
        source = "flag" if name in flags else source_of(name)
        value = safe.get(name, getattr(settings, name))
        rows.append({"name": f"{PREFIX}{name.upper()}", "value": value, "source": source, "meaning": field.description})
        shown = ", ".join(value) if isinstance(value, list) else str(value)
        table.add_row(f"{PREFIX}{name.upper()}", shown, source, field.description or "")
    if as_json:
        print_json(rows)
        return
    console.print(table)


@app.command("dkim")
def show_dkim(as_json: Json = False) -> None:
    """Show the DNS text records that publish the DKIM keys of the settings."""
    from soapstone.runners import dkim_signer

    signer = dkim_signer(settings_of()) or stop("No DKIM key is set: SOAPSTONE_DKIM_KEYS is empty.")
    if as_json:
        print_json([{"name": name, "type": "TXT", "value": record} for name, record in signer.records.items()])
        return
    for name, record in signer.records.items():
        # A string of a text record holds 255 characters; receivers join them (RFC 6376 3.6.2.2).
        strings = [record[place : place + 255] for place in range(0, len(record), 255)]
        typer.echo(f"{name}. IN TXT " + " ".join(f'"{string}"' for string in strings))
