"""The message that a server prints once it serves."""

from __future__ import annotations

import sys
from pathlib import Path

from soapstone.settings import Settings

EXAMPLES = ("poll_upload.sh", "poll_legacy.sh")
SCRIPTS = ("magnetmail_zeep.py", "listrak_zeep.py")


NO_PUBLIC_URL = (
    "SOAPSTONE_PUBLIC_URL is not set: mails have no links to unsubscribe. The command line and REST refuse to send "
    "such mails to lists, unless the sender says that they need no link."
)


def announce(base: str, settings: Settings, *, demo: bool, smtp_unused: bool = False) -> None:
    """Print all URLs; with the demo account also its credentials and commands to paste.

    `smtp_unused`: an SMTP server is configured but gets no mail because of the demo account.
    """
    lines = [
        "",
        f"Soapstone serves on {base}",
        f"  MagnetMail   {base}/mmapi.asmx                    (description: ?WSDL)",
        f"  Listrak      {base}/v31/IntegrationService.asmx   (description: ?WSDL)",
        f"  REST API     {base}/api/v1                        (description: /api/v1/openapi.json)",
        f"  Help         {base}/mmapi.asmx?op=getUploadJobStatus",
        f"               {base}/v31/IntegrationService.asmx?op=GetLegacyProcessStatus",
        f"  Console      {base}/",
        f"  Data         {settings.data_dir.resolve()}",
    ]
    if not settings.public_url:
        lines += ["", NO_PUBLIC_URL]
    if smtp_unused:
        lines += ["", f"With --demo no mail goes to the SMTP server; all mail goes to {settings.mail.resolve()}."]
    if demo:
        lines += ["", "Demo account DEMO, login demo, password demo (for all of these), list 1."]
        # They check for themselves that mails to lists have links.
        lines.append(f"For commands that send: export SOAPSTONE_PUBLIC_URL={settings.public_url}")
        lines += _commands(base)
    print("\n".join([*lines, "", "Ctrl-C ends it."]), flush=True)


def _commands(base: str) -> list[str]:
    """Return commands to paste, if the examples are in the working folder, as in a checkout."""
    folder = Path("examples")
    if not folder.is_dir():
        return []
    python = Path(sys.executable)
    shown = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    return [
        "Paste into another terminal:",
        *(f"  sh {folder / name} {base}" for name in EXAMPLES),
        *(f"  {shown} {folder / name} {base}" for name in SCRIPTS),
    ]
