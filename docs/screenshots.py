"""The pictures of the console in the manual: a demo server is started and called, and Chromium takes them.

Run `.venv/bin/python docs/screenshots.py` after a change of what they show. With a folder it leaves them there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from tests.interop.browser import Browser  # noqa: E402 - it lies beside the manual, in no package

# Name of a picture → path of the page that it shows.
PICTURES = {"console.png": "/"}
WIDTH = 1000
# SOAP calls for the page to show. They end when their jobs do.
EXAMPLES = ("poll_upload.sh", "poll_legacy.sh")


def take(base: str, folder: Path, target: Path) -> None:
    """Save all pictures of a demo server, as PNG; `folder` is the browser's."""
    browser = Browser(folder)
    try:
        browser.width(WIDTH)
        # A demo server fills the form in.
        browser.open(f"{base}/")
        browser.submit("document.forms[0].submit()")
        for name, path in PICTURES.items():
            browser.open(base + path)
            browser.picture(target / name)
    finally:
        browser.close()


def main(target: Path) -> None:
    """Start a server, take the pictures, end it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "soapstone", "serve", "--demo", "--port", "0", "--data", str(folder / "data")]
        with subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            assert server.stdout is not None  # noqa: S101 - a pipe was asked for
            try:
                base = next(line.split()[-1] for line in server.stdout if "serves on" in line)
                for example in EXAMPLES:
                    script = DOCS.parent / "examples" / example
                    subprocess.run(["/bin/sh", script, base], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
                (folder / "browser").mkdir()
                take(base, folder / "browser", target)
            finally:
                server.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS)
