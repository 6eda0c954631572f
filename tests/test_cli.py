"""The command line as a whole: help, version, completion, and the first account of a server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.conftest import Served
from typer.testing import CliRunner

from soapstone.accounts.account import Accounts
from soapstone.accounts.logon import InvalidLogonError
from soapstone.cli import PLACES, app
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database


@pytest.mark.parametrize("words", [[], ["account"], ["account", "list"], ["import"]], ids=" ".join)
def test_help_has_a_short_option(words: list[str]) -> None:
    short, long = (CliRunner().invoke(app, [*words, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert "Usage:" in short.stdout


def test_the_version_is_an_option_too() -> None:
    for words in (["--version"], ["version"]):
        result = CliRunner().invoke(app, words)
        assert (result.exit_code, result.stdout) == (0, f"{version('soapstone')}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_given_a_script_for_completion(shell: str, completion: Callable[..., str]) -> None:
    assert "_SOAPSTONE_COMPLETE" in completion(_SOAPSTONE_COMPLETE=f"source_{shell}")


def test_bash_completes_words(completion: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "completion.sh").write_text(completion(_SOAPSTONE_COMPLETE="source_bash"))
    program = Path(sys.executable).with_name("soapstone")
    asked = (
        f"source completion.sh; COMP_WORDS=(soapstone jobs list --js); COMP_CWORD=3; "
        f"_soapstone_completion {program}; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "-c", asked], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["--json"]


@pytest.fixture
def completion() -> Callable[..., str]:
    """What the installed program answers to a shell."""

    def ask(**variables: str) -> str:
        program = Path(sys.executable).with_name("soapstone")
        environment = {**os.environ, **variables}
        return subprocess.run([program], env=environment, check=True, capture_output=True, text=True).stdout

    return ask


def test_the_first_account_is_made_where_there_is_none(database: Database, tmp_path: Path) -> None:
    accounts, product = Accounts(database), Product.open(Settings(data_dir=tmp_path), database)
    assert accounts.create_first("acme", "ann", "long secret", time_zone="Europe/Berlin")
    (made,) = accounts.all()
    assert (made.name, made.time_zone) == ("ACME", "Europe/Berlin")
    ((login, lists),) = accounts.logins(made)
    assert (login.name, login.may_call_api, login.may_choose_numbers, login.all_lists) == ("ann", True, False, True)
    assert lists == []
    product.logons.identify("ann", "long secret", None)
    assert [each.detail.split(":")[0] for each in product.audit.last(made.id, 9)] == [
        "account ACME is created",
        "login ann is added",
    ]


def test_later_starts_change_nothing(database: Database, tmp_path: Path) -> None:
    """Not the password of the login that is there, and no account beside others, though its login was deleted."""
    accounts, product = Accounts(database), Product.open(Settings(data_dir=tmp_path), database)
    accounts.create_first("acme", "ann", "long secret", time_zone="UTC")
    (made,) = accounts.all()
    assert not accounts.create_first("acme", "ann", "other secret", time_zone="UTC")
    with pytest.raises(InvalidLogonError):
        product.logons.identify("ann", "other secret", None)
    accounts.delete_login(made, "ann")
    assert not accounts.create_first("other", "bob", "other secret", time_zone="UTC")
    assert accounts.all() == [made]
    assert accounts.logins(made) == []


def test_of_many_starts_at_once_one_makes_the_account(database: Database) -> None:
    def start(_: int) -> bool:
        return Accounts(database).create_first("acme", "ann", "long secret", time_zone="UTC")

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(start, range(8))) == [False] * 7 + [True]
    (made,) = Accounts(database).all()
    assert len(Accounts(database).logins(made)) == 1


def test_a_server_makes_the_first_account_from_files(tmp_path: Path, database_url: str) -> None:
    """As a container or a systemd unit starts it: no secret is in the environment."""
    for name, value in (("password", "long secret"), ("url", database_url), ("token", "t" * 32)):
        (tmp_path / name).write_text(f"{value}\n")
    files = {"ADMIN_PASSWORD": "password", "DATABASE_URL": "url", "METRICS_TOKEN": "token"}
    settings = {f"{name}_FILE": str(tmp_path / file) for name, file in files.items()}
    served = Served(tmp_path / "data", demo=False, admin_login="acme/ann", **settings)
    try:
        served.settle(database_url)
        assert "account ACME with login ann was created" in served.log()
        assert "long secret" not in served.log()
    finally:
        served.stop()
    database = Database(database_url)
    try:
        product = Product.open(Settings(data_dir=tmp_path / "data"), database)
        assert product.logons.identify("ann", "long secret", None).account.name == "ACME"
    finally:
        database.close()


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    """It is made without loading them."""
    group: Any = typer.main.get_command(app)
    for name, place in PLACES.items():
        assert group.commands[name].get_short_help_str(200).rstrip(".") == place.help.rstrip("."), name
    assert set(group.commands) == {*PLACES, "version"}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_no_command(option: str) -> None:
    program = f"import sys; sys.argv[1:] = [{option!r}]; from soapstone.cli import app; app(standalone_mode=False); "
    program += "sys.exit(str([name for name in sys.modules if name.startswith('soapstone.commands.')]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("module", ["typer", "soapstone.commands.servers", "soapstone.testing.command"])
def test_an_interrupt_while_modules_load_shows_no_traceback(module: str, tmp_path: Path) -> None:
    program = f"""
import sys
from soapstone.__main__ import main

class Interrupting:
    def find_spec(self, name, *more):
        if name == {module!r}:
            # As the handler of the signal does, which a shell may have switched off.
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["serve", *["--test"] * ({module!r} == "soapstone.testing.command")]
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")
