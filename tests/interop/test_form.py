"""The test form of the help pages in a browser (asmx-29)."""

from __future__ import annotations

import base64
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.interop.browser import Browser

pytestmark = pytest.mark.interop

MAGNETMAIL, LISTRAK = "/mmapi.asmx", "/v31/IntegrationService.asmx"


def driver() -> ModuleType:
    """The module beside this one; tests are no package."""
    spec = importlib.util.spec_from_file_location("interop_browser", Path(__file__).with_name("browser.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    running: Browser = driver().Browser(tmp_path_factory.mktemp("browser"))
    yield running
    running.close()


FILL = """
(([path, value, at]) => {
  const field = document.getElementsByName(path)[at];
  field.value = value;
  if (field.value !== value) throw new Error(`${path} does not take ${value}`);
})
"""
# Presses the button, and waits until it can be pressed again.
INVOKE = """
new Promise((done) => {
  const button = document.querySelector("#test button");
  const watch = new MutationObserver(() => button.disabled || (watch.disconnect(), done()));
  watch.observe(button, { attributes: true });
  button.click();
})
"""


class Form:
    """The form of one operation, open in the browser."""

    def __init__(self, browser: Browser, base: str, contract: str, operation: str) -> None:
        self._browser = browser
        browser.open(f"{base}{contract}?op={operation}")

    def fill(self, path: str, value: str, at: int = 0) -> None:
        """Put a value into the field of that name, or into the second one."""
        self._browser.run(f"{FILL}({[path, value, at]!r})")

    def value(self, path: str) -> str:
        return str(self._browser.run(f"document.getElementsByName({path!r})[0].value"))

    def invoke(self, version: str = "1.1") -> str:
        """Press the button and give the answer."""
        self._browser.run(f"document.getElementById('version').value = {version!r}")
        self._browser.run(INVOKE)
        return self.text("answer")

    def text(self, place: str) -> str:
        return str(self._browser.run(f"document.getElementById({place!r}).textContent"))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_poll_of_an_upload(server: Any, browser: Browser, version: str) -> None:
    """mm-8, mm-48: the session that one page opens is used by the others."""
    form = Form(browser, server.base, MAGNETMAIL, "Authenticate")
    assert "<authenticated>true</authenticated>" in form.invoke(version)
    assert form.text("status").startswith("HTTP 200, ")
    form = Form(browser, server.base, MAGNETMAIL, "getUploadJobStatus")
    assert re.fullmatch("[0-9a-f-]{36}", form.value("mmAuthHeader/sessionId"))
    assert form.value("mmAuthHeader/user_id") == "DEMO"
    form.fill("getUploadJobStatus/jobid", "1")
    answer = form.invoke(version)
    assert "\n        <status>2</status>\n" in answer
    assert "<soap:Body>" in answer
    # The empty field is left out.
    prefix = {"1.1": "soap", "1.2": "soap12"}[version]
    assert form.text("sent").endswith(
        f"""
  <{prefix}:Body>
    <getUploadJobStatus xmlns="http://www.magnetmail.net/">
      <jobid>1</jobid>
    </getUploadJobStatus>
  </{prefix}:Body>
</{prefix}:Envelope>"""
    )
    assert browser.violations == []


def test_a_poll_of_a_list(server: Any, browser: Browser) -> None:
    """lk-8, lk-84: credentials are filled in."""
    form = Form(browser, server.base, LISTRAK, "GetLegacyProcessStatus")
    form.fill("GetLegacyProcessStatus/ListID", "1")
    assert "<ProcessType>Send to List</ProcessType>" in form.invoke()
    assert browser.violations == []


def test_groups_arrays_choices_and_files(server: Any, browser: Browser) -> None:
    """A file is imported by form."""
    form = Form(browser, server.base, LISTRAK, "BulkLoadContacts")
    file = base64.b64encode(b'Email,Colour\nform@example.com,<red> & "blue"\n').decode()
    item = "BulkLoadContacts/fileMappings/WSFileMappings"
    for name, value in {
        "ListID": "1",
        "WSImportDirectives/ImportTypeEnum": "AddSubscribers",
        "WSImportDirectives/FileName": 'a<b>&"c".csv',
        "WSImportDirectives/HasColumnNames": "true",
        "WSImportDirectives/FileDelimiter": ",",
        "ImportFileStream": file,
    }.items():
        form.fill(f"BulkLoadContacts/{name}", value)
    form.fill(f"{item}/IsEmailAddressColumn", "true")
    form.fill(f"{item}/FileColumn", "0")
    answer = form.invoke()
    assert form.text("sent").count("<WSFileMappings>") == 1
    assert "<FileName>a&lt;b&gt;&amp;&quot;c&quot;.csv</FileName>" in form.text("sent")
    number = re.search("<BulkLoadContactsResult>([0-9]+)</BulkLoadContactsResult>", answer)
    assert number, answer
    server.command("jobs", "watch", number[1])
    form.fill(f"{item}/FileColumn", "1", at=1)
    form.invoke()
    assert form.text("sent").count("<WSFileMappings>") == 2


def test_faults_are_shown(server: Any, browser: Browser) -> None:
    form = Form(browser, server.base, LISTRAK, "GetLegacyProcessStatus")
    form.fill("GetLegacyProcessStatus/ListID", "one")
    assert "Input string was not in a correct format." in form.invoke()
    assert form.text("status").startswith("HTTP 500, ")


def test_a_form_of_a_foreign_page_is_refused(server: Any, browser: Browser) -> None:
    """lk-7: forms can post text to any place."""
    page = f'<form method="post" enctype="text/plain" action="{server.base}{LISTRAK}"><input name="a" value="b"></form>'
    browser.open(f"data:text/html,{quote(page)}")
    browser.submit("document.forms[0].submit()")
    assert "page of another site" in browser.run("document.body.textContent")


@pytest.mark.parametrize("pixels", [1200, 390])
@pytest.mark.parametrize(
    "page",
    [
        MAGNETMAIL,
        f"{MAGNETMAIL}?op=Authenticate",
        f"{MAGNETMAIL}?op=uploadListQueue",
        f"{LISTRAK}?op=BulkLoadContacts",
        f"{LISTRAK}?op=ReportListImportHistory",
    ],
)
def test_pages_fit_into_the_window(server: Any, browser: Browser, page: str, pixels: int) -> None:
    browser.width(pixels)
    browser.open(server.base + page)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("[...document.querySelectorAll('button, input, select')].every((e) => e.offsetHeight >= 40)")
    assert browser.violations == []
