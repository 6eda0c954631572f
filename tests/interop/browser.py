"""Chromium without a window, driven through the pipe of its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    # It opens only our own pages, and containers have no use for its sandbox.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
SECONDS = 30
# It reads from descriptor 3 and writes to descriptor 4.
LAUNCH = """
import fcntl, os, sys
theirs = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
os.dup2(theirs[0], 3)
os.dup2(theirs[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One tab. `flags` are further ones of the program."""

    def __init__(self, folder: Path, *flags: str) -> None:
        program = next(filter(None, map(shutil.which, PROGRAMS)))
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out)),
                    *(program, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "about:blank"),
                ],
                pass_fds=(theirs_in, theirs_out),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        os.close(theirs_in)
        os.close(theirs_out)
        self._to = os.fdopen(ours_out, "wb", buffering=0)
        self._from = os.fdopen(ours_in, "rb")
        self._last = 0
        self._session: str | None = None
        self._rest = b""
        self._events: list[str] = []
        self.violations: list[str] = []
        """What the content security policy stopped since the last page was opened."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")
        self._call("Audits.enable")

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self.violations.clear()
        self._events.clear()
        self._call("Page.navigate", url=url)
        self._event("Page.loadEventFired")

    def start(self, url: str) -> None:
        """Open a page, and do not wait for what it loads."""
        self._call("Page.navigate", url=url)

    def click(self, x: int, y: int) -> None:
        """Press and release the mouse at this place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        result = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def submit(self, script: str) -> None:
        """Run what leads to another page, and wait for that."""
        self._events.clear()
        self._call("Runtime.evaluate", expression=script)
        self._event("Page.loadEventFired")

    def width(self, pixels: int, *, dark: bool = False) -> None:
        """Make the window this wide, a telephone below 600 pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=pixels,
            height=900,
            deviceScaleFactor=1,
            mobile=pixels < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Save a picture of the whole page as PNG."""
        data = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """End the program."""
        self._session = None
        self._call("Browser.close")
        self._process.wait(30)
        self._to.close()
        self._from.close()

    def _call(self, method: str, **parameters: Any) -> Any:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]

    def _event(self, name: str) -> None:
        while name not in self._events:
            self._message()

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], SECONDS)
            assert ready, "the browser does not answer"
            data = os.read(self._from.fileno(), 1 << 16)
            assert data, f"the browser has ended: {self._log.read_text()}"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._events.append(message.get("method", ""))
        issue = message.get("params", {}).get("issue", {}) if message.get("method") == "Audits.issueAdded" else {}
        if issue.get("code") == "ContentSecurityPolicyIssue":
            self.violations.append(json.dumps(issue["details"]))
        return message
