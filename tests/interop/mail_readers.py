"""Programs that show mails: a webmail in Chromium, Thunderbird and Claws Mail on a screen of Xvfb.

Each shows one mail from a file, loads its images, clicks its link and moves on, as its user would. Links that a mail
program hands to a browser are left in a file.
"""

from __future__ import annotations

import html
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

SECONDS = 90
PLUGINS = Path("/usr/lib")
# The link fills the window below the headers.
WIDTH, HEIGHT = 1000, 700
PLACE = (600, 560)

# A webmail shows a mail in a frame without scripts, which may only open windows.
FRAME = """
<!doctype html><title>Webmail</title><h1>Inbox</h1>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="{mail}" width="900" height="700"></iframe>
"""
# Its links open in windows of their own.
HEAD = '<base target="_blank">'
THUNDERBIRD = {
    "mailnews.message_display.disable_remote_image": False,
    "mailnews.start_page.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mail.rights.version": 1,
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.protocol-handler.warn-external.http": False,
    "toolkit.telemetry.enabled": False,
}
CLAWS = """
[Common]
config_version=4
promote_html_part=1
check_on_startup=0
cmds_use_system_default=0
uri_open_command={command} '%s'

[Plugins_GTK3]
{plugin}

[LiteHTML]
enable_remote_content=1
image_cache_size=20
default_font=Sans 16
"""
CLAWS_ACCOUNT = """
[Account: 1]
account_name=reader
is_default=1
name=Reader
address=reader@readers.example
protocol=4
"""
CLAWS_FOLDERS = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist>
<folder type="mh" collapsed="0" name="Mail" path="{folder}">
<folderitem type="inbox" name="inbox" path="inbox" />
<folderitem type="outbox" name="sent" path="sent" />
<folderitem type="draft" name="draft" path="draft" />
<folderitem type="queue" name="queue" path="queue" />
<folderitem type="trash" name="trash" path="trash" />
</folder>
</folderlist>
"""
HANDLER = """[Desktop Entry]
Type=Application
Name=Browser
Exec={command} %u
MimeType=x-scheme-handler/http;x-scheme-handler/https;
"""


def html_of(mail: Path) -> str:
    """The HTML part of a mail, which a webmail shows."""
    parsed: EmailMessage = BytesParser(EmailMessage, policy=policy.default).parsebytes(mail.read_bytes())
    body = parsed.get_body(("html",))
    assert body is not None
    return str(body.get_content())


class Webmail:
    """A webmail in a browser: its pages are files of this folder, which `base` serves."""

    def __init__(self, browser: Any, folder: Path, base: str) -> None:
        self._browser, self._folder, self._base = browser, folder, base

    def open(self, mail: Path) -> None:
        """Show a mail."""
        name = f"{mail.stem}.html"
        (self._folder / name).write_text(FRAME.format(mail=html.escape(HEAD + html_of(mail))))
        self._browser.start(f"{self._base}/{name}")

    def click(self) -> None:
        """Click the mail's link, which opens another tab."""
        self._browser.click(300, 300)

    def close(self) -> None:
        """Go back to the list of mails."""
        self._browser.run("document.querySelector('iframe').remove()")


class Program:
    """A mail program on a screen of its own. `prepare` gets its folder and returns what shows a mail."""

    def __init__(self, folder: Path, display: str, prepare: Callable[[Path, Path], list[str]]) -> None:
        self._folder, self._prepare = folder, prepare
        self.clicked = folder / "clicked"
        command = folder / "browser.sh"
        command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >>{self.clicked}\n')
        command.chmod(0o755)
        home = folder / "home"
        applications = home / ".local/share/applications"
        applications.mkdir(parents=True)
        (home / ".config").mkdir()
        (applications / "browser.desktop").write_text(HANDLER.format(command=command))
        kinds = "".join(f"x-scheme-handler/{scheme}=browser.desktop\n" for scheme in ("http", "https"))
        (home / ".config/mimeapps.list").write_text(f"[Default Applications]\n{kinds}")
        private = {"XDG_CONFIG_HOME": str(home / ".config"), "XDG_DATA_HOME": str(home / ".local/share")}
        self._environment = {**os.environ, "HOME": str(home), "DISPLAY": display, **private}
        self._process: subprocess.Popen[bytes] | None = None

    def open(self, mail: Path) -> None:
        """Start the program with a mail."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._prepare(self._folder, mail),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def click(self) -> str:
        """Click the mail's link, and return what a browser was asked to open."""
        subprocess.run(
            ["xdotool", "mousemove", *map(str, PLACE), "click", "1"], env=self._environment, check=True, timeout=SECONDS
        )
        end = time.monotonic() + SECONDS
        while not self.clicked.exists() or not (found := self.clicked.read_text()).endswith("\n"):
            assert time.monotonic() < end, "no link was opened"
            time.sleep(0.05)
        return found.strip()

    def close(self) -> None:
        """End the program and its helpers at once, if it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(SECONDS)
            self._process = None


def thunderbird(folder: Path, mail: Path) -> list[str]:
    """A window of Thunderbird with one mail, whose images are loaded."""
    profile = folder / "profile"
    profile.mkdir(exist_ok=True)
    values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in THUNDERBIRD.items()}
    (profile / "user.js").write_text("".join(f'user_pref("{name}", {value});\n' for name, value in values.items()))
    return ["thunderbird", "-profile", str(profile), "-no-remote", "-file", str(mail)]


def claws_mail(folder: Path, mail: Path) -> list[str]:
    """Claws Mail at one mail in a folder, with its litehtml viewer, which loads images."""
    mails, settings = folder / "home" / "Mail", folder / "settings"
    for name in ("inbox", "sent", "draft", "queue", "trash"):
        (mails / name).mkdir(parents=True, exist_ok=True)
    settings.mkdir(exist_ok=True)
    shutil.copy(mail, mails / "inbox" / "1")
    (plugin,) = PLUGINS.glob("*/claws-mail/plugins/litehtml_viewer.so")
    (settings / "clawsrc").write_text(CLAWS.format(command=folder / "browser.sh", plugin=plugin))
    (settings / "accountrc").write_text(CLAWS_ACCOUNT)
    (settings / "folderlist.xml").write_text(CLAWS_FOLDERS.format(folder=mails))
    return ["claws-mail", "--alternate-config-dir", str(settings), "--select", str(mails / "inbox" / "1")]


@contextmanager
def screen(folder: Path) -> Iterator[str]:
    """A screen without a monitor; its display."""
    ours, theirs = os.pipe()
    with (folder / "screen.log").open("wb") as log:
        # It chooses a free number, and writes it when it is ready.
        process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp"],
            pass_fds=(theirs,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    os.close(theirs)
    try:
        with os.fdopen(ours) as numbers:
            number = numbers.readline().strip()
            assert number, f"no screen: {(folder / 'screen.log').read_text()}"
            yield f":{number}"
    finally:
        process.terminate()
        process.wait(SECONDS)
