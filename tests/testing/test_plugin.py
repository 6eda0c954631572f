"""The pytest plugin in runs of pytest as users start them: it is loaded by its entry point, warnings are errors."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpcore
import httpx
import pytest
import zeep

from soapstone.api import app as api
from soapstone.console import app as console
from soapstone.listrak import service as listrak
from soapstone.subscriber import app as subscriber
from soapstone.testing import client, control, seed_document, server

# Runs of pytest inside this process forget what they import: it would be imported anew each time, and what other tests
# of this process still hold would be of other classes than what comes later.
LOADED = (httpcore, httpx, zeep, api, console, listrak, subscriber, client, control, seed_document, server)

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "testing" / "pytest"
# Other plugins of this environment, which only take time.
OTHERS = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
SEED = """\
accounts:
  - name: ACME
    logins: [{name: ann, password: secret}]
    lists: [{number: 4711, name: News}]
"""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-W", "error", *OTHERS, *options)


@pytest.mark.parametrize("options", [[], ["--soapstone-process"]], ids=["in process", "process"])
def test_the_example_passes(pytester: pytest.Pytester, options: list[str]) -> None:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    run(pytester, *options).assert_outcomes(passed=4)


def test_the_example_runs_where_it_stands() -> None:
    """The checkout's settings are for its own tests, and need plugins that a user does not have."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", *OTHERS]
    done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 tests collected" in done.stdout


def test_the_example_finds_a_client_that_does_not_try_again(pytester: pytest.Pytester) -> None:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    connector = pytester.path / "connector.py"
    text = connector.read_text()
    assert "\nATTEMPTS = 3\n" in text
    connector.write_text(text.replace("\nATTEMPTS = 3\n", "\nATTEMPTS = 1\n"))
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["FAILED *unavailable*", "FAILED *session_has_expired*"])


def test_each_test_begins_with_the_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import httpx
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_lists(soapstone, turn):
            assert soapstone.calls == []
            lists = f"{soapstone.url}/api/v1/lists"
            assert httpx.post(lists, auth=("demo", "demo"), json={"name": "Another"}).json()["id"] == 3
            assert [call.request.method for call in soapstone.calls] == ["POST"]
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_workers_of_xdist_have_servers_of_their_own(pytester: pytest.Pytester) -> None:
    text = """
        import os
        from pathlib import Path

        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(soapstone, turn):
            Path(f"{os.environ['PYTEST_XDIST_WORKER']}-{turn}").write_text(soapstone.url)
    """
    pytester.makepyfile(test_first=text, test_second=text)
    run(pytester, "-n", "2", "--dist", "loadfile").assert_outcomes(passed=4)
    urls = {path.name: path.read_text() for path in pytester.path.glob("gw*-*")}
    assert urls.keys() == {"gw0-1", "gw0-2", "gw1-1", "gw1-2"}
    assert urls["gw0-1"] == urls["gw0-2"] != urls["gw1-1"] == urls["gw1-2"]


def test_a_process_with_a_seed_of_the_users(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the session. The file is looked for in the folder of the settings."""
    (pytester.path / "seed.yaml").write_text(SEED)
    folder = pytester.mkdir("tests")
    (folder / "test_seed.py").write_text(
        "import subprocess\n"
        "from pathlib import Path\n"
        "import httpx\n"
        "def test_it(soapstone):\n"
        "    Path('url').write_text(soapstone.url)\n"
        "    lists = httpx.get(f'{soapstone.url}/api/v1/lists', auth=('ann', 'secret')).json()['items']\n"
        "    assert [(each['id'], each['name']) for each in lists] == [(4711, 'News')]\n"
        "    command = ['ps', '-A', '-o', 'args=']\n"
        "    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout\n"
        "    assert 'soapstone serve --test' in listed\n"
    )
    pytester.makeini("[pytest]\nsoapstone_seed = seed.yaml\nsoapstone_process = true")
    monkeypatch.chdir(folder)
    run(pytester).assert_outcomes(passed=1)
    port = int((folder / "url").read_text().rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_does_not_outlive_a_run_that_is_killed(pytester: pytest.Pytester, number: signal.Signals) -> None:
    """A run that a CI ends, or that runs out of memory, has no time to tidy up."""
    file = pytester.path / "url"
    pytester.makepyfile(
        f"import time\nfrom pathlib import Path\n"
        f"def test_it(soapstone):\n    Path({str(file)!r}).write_text(soapstone.url)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "pytest", *OTHERS, "--soapstone-process"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        within(30, lambda: file.exists() and file.read_text().endswith(tuple("0123456789")))
        running.send_signal(number)
    port = int(file.read_text().rpartition(":")[2])

    def ended() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) != 0

    within(10, ended)


def within(seconds: float, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("options", [[], ["--soapstone-process"]], ids=["in process", "process"])
def test_a_server_that_does_not_start_says_why(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile("def test_it(soapstone): pass")
    result = run(pytester, "--soapstone-seed", "missing.yaml", *options)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *Cannot use *missing.yaml: No such file*"])


def test_a_failed_assertion_says_what_was_called(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import zeep

        def test_it(soapstone):
            mm = zeep.Client(soapstone.magnetmail_url).service
            mm.Authenticate(username="demo", password="wrong")
            mm.Authenticate(username="demo", password="demo")
            soapstone.assert_called("Authenticate", times=2, username="demo")
            soapstone.assert_called("Authenticate", username="ann")
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * Expected Authenticate(username='ann') to be called at least once; it was called 0 times.",
            "E *: Authenticate(username='demo', password='wrong')",
            "E *: Authenticate(username='demo', password='demo')",
            "test_it.py:8: AssertionError",
        ]
    )


def test_who_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    """Loading the plugin imports nothing of the server."""
    pytester.makepyfile(
        """
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("soapstone")
            ours = {name for name in sys.modules if name.partition(".")[0] == "soapstone"}
            assert ours == {"soapstone", "soapstone.testing", "soapstone.testing.plugin"}
        """
    )
    pytester.runpytest_subprocess("-W", "error", *OTHERS).assert_outcomes(passed=1)


def test_it_can_be_left_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(soapstone): pass")
    result = run(pytester, "-p", "no:soapstone")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'soapstone' not found"])
