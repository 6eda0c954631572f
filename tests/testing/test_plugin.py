"""The pytest plugin, in runs of pytest as users start them: it is loaded by its entry point, warnings are errors."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import httpx
import pytest

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "testing" / "pytest"
# Other plugins of this environment, which only take time.
OTHERS = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
URLS = """
    import os
    from pathlib import Path

    def test_one(soapstone, request):
        Path(f"{os.environ['PYTEST_XDIST_WORKER']}-one").write_text(soapstone.url)

    def test_two(soapstone, request):
        Path(f"{os.environ['PYTEST_XDIST_WORKER']}-two").write_text(soapstone.url)
"""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-W", "error", *OTHERS, *options)


@pytest.mark.parametrize("options", [[], ["--soapstone-process"], ["-n", "2"]], ids=" ".join)
def test_the_example_passes(pytester: pytest.Pytester, options: list[str]) -> None:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    run(pytester, *options).assert_outcomes(passed=4)


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
        import pytest
        import zeep

        @pytest.mark.parametrize("turn", [1, 2])
        def test_groups(soapstone, turn):
            mm = zeep.Client(soapstone.magnetmail_url).service
            assert soapstone.calls == []
            session = mm.Authenticate(username="demo", password="demo")
            header = {"mmAuthHeader": {"sessionId": session.sessionId, "user_id": session.user_id}}
            added = mm.addGroup(group_name="Another", group_description="", _soapheaders=header)
            assert added.group_id == 2
            assert [call.operation for call in soapstone.calls] == ["Authenticate", "addGroup"]
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_workers_of_xdist_have_servers_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_first=URLS, test_second=URLS)
    run(pytester, "-n", "2", "--dist", "loadfile").assert_outcomes(passed=4)
    urls = {path.name: path.read_text() for path in pytester.path.glob("gw*-*")}
    assert urls.keys() == {"gw0-one", "gw0-two", "gw1-one", "gw1-two"}
    assert urls["gw0-one"] == urls["gw0-two"] != urls["gw1-one"] == urls["gw1-two"]


@pytest.mark.parametrize("place", ["option", "ini"])
def test_a_process_ends_with_the_session(pytester: pytest.Pytester, place: str) -> None:
    if place == "ini":
        pytester.makeini("[pytest]\nsoapstone_process = true")
    pytester.makepyfile(
        """
        import subprocess
        from pathlib import Path

        def test_it(soapstone, pytestconfig):
            Path("url").write_text(soapstone.url)
            command = ["ps", "-A", "-o", "args="]
            listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert any("soapstone serve --test" in line for line in listed.splitlines())
        """
    )
    run(pytester, *(["--soapstone-process"] if place == "option" else [])).assert_outcomes(passed=1)
    with pytest.raises(httpx.ConnectError):
        httpx.get((pytester.path / "url").read_text())


@pytest.mark.parametrize("options", [[], ["--soapstone-process"]], ids=" ".join)
def test_the_server_begins_with_a_seed_of_the_users(pytester: pytest.Pytester, options: list[str]) -> None:
    """The ini option is relative to the root folder, wherever pytest is started."""
    pytester.makeini("[pytest]\nsoapstone_seed = seed.yaml")
    (pytester.path / "seed.yaml").write_text(
        "accounts:\n- name: ACME\n  logins: [{name: ann, password: secret}]\n  lists: [{number: 4711, name: News}]\n"
    )
    folder = pytester.mkdir("tests")
    (folder / "test_seed.py").write_text(
        "import zeep\n"
        "def test_it(soapstone):\n"
        "    lk = zeep.Client(soapstone.listrak_url).service\n"
        "    header = {'WSUser': {'UserName': 'ann', 'Password': 'secret'}}\n"
        "    found = lk.GetContactListCollection(_soapheaders=header)\n"
        "    assert [(each.ListID, each.ListName) for each in found] == [(4711, 'News')]\n"
    )
    os.chdir(folder)
    run(pytester, *options).assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [[], ["--soapstone-process"]], ids=" ".join)
def test_a_server_that_does_not_start_says_why(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile("def test_it(soapstone): pass")
    result = run(pytester, "--soapstone-seed", "missing.yaml", *options)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*missing.yaml*"])


def test_a_failed_assertion_says_what_was_called(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import zeep

        def test_it(soapstone):
            mm = zeep.Client(soapstone.magnetmail_url).service
            mm.Authenticate(username="demo", password="wrong")
            mm.Authenticate(username="demo", password="demo")
            soapstone.assert_called("Authenticate", times=2, username="demo")
            soapstone.assert_called("getGroups", times=0)
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
            "test_*.py:10: AssertionError",
        ]
    )


def test_who_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    """Loading the plugin imports nothing of the server, nor a library that pytest has not loaded."""
    pytester.makepyfile(
        """
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("soapstone")
            ours = {name for name in sys.modules if name.partition(".")[0] == "soapstone"}
            assert ours == {"soapstone", "soapstone.testing", "soapstone.testing.plugin"}
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_it_can_be_left_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(soapstone): pass")
    result = run(pytester, "-p", "no:soapstone")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'soapstone' not found"])
