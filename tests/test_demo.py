"""The demo's published password stays on this machine, and out of other records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import make_url, text

from soapstone.accounts.logon import InvalidLogonError
from soapstone.demo import PASSWORD, prepare_demo, refusal
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    return Product.open(Settings(data_dir=tmp_path), database)


def test_records_of_the_demo_are_served_on_loopback_addresses_only(product: Product) -> None:
    assert refusal(product, demo=False, loopback=False) is None
    assert refusal(product, demo=True, loopback=True) is None
    prepare_demo(product)
    for demo in (False, True):
        assert refusal(product, demo=demo, loopback=True) is None
        sentence = refusal(product, demo=demo, loopback=False)
        assert sentence is not None
        assert "soapstone account delete-login demo --account DEMO" in sentence


def test_a_demo_that_is_made_while_a_network_is_served_stays_out_of_it(product: Product) -> None:
    product.logons.refuse_published()
    prepare_demo(product)
    with pytest.raises(InvalidLogonError):
        product.logons.identify("demo", "demo", "192.0.2.1")
    assert product.accounts.set_password("demo", "a secret of its own")
    assert product.logons.identify("demo", "a secret of its own", "192.0.2.1").account.name == "DEMO"


def test_the_demo_stands_beside_no_other_account(product: Product) -> None:
    product.accounts.create("ACME", time_zone="UTC")
    sentence = refusal(product, demo=True, loopback=True)
    assert sentence is not None
    assert "account ACME" in sentence
    assert refusal(product, demo=False, loopback=False) is None


def test_accounts_below_the_demo_are_its_own(product: Product) -> None:
    prepare_demo(product)
    product.accounts.create("CHILD", time_zone="UTC", parent="DEMO")
    product.accounts.create("AACHILD", time_zone="UTC", parent="CHILD")
    assert refusal(product, demo=True, loopback=True) is None
    product.accounts.create("OTHER", time_zone="UTC")
    assert "account OTHER" in (refusal(product, demo=True, loopback=True) or "")


def test_the_published_password_given_anew_is_still_published(product: Product) -> None:
    prepare_demo(product)
    assert product.accounts.set_password("demo", PASSWORD)
    assert refusal(product, demo=False, loopback=False) is not None


@pytest.mark.parametrize("remedy", ["delete", "password"])
def test_without_the_published_password_the_records_are_ordinary_ones(product: Product, remedy: str) -> None:
    prepare_demo(product)
    account = product.accounts.named("DEMO")
    assert account is not None
    assert product.accounts.permit(account, "demo", disabled=True)
    assert refusal(product, demo=False, loopback=False) is not None, "it can be enabled again"
    if remedy == "delete":
        assert product.accounts.delete_login(account, "demo")
    else:
        assert product.accounts.set_password("demo", "a secret of its own")
    assert refusal(product, demo=False, loopback=False) is None
    assert "account DEMO" in (refusal(product, demo=True, loopback=True) or "")


@pytest.mark.parametrize(
    ("account", "login", "marked"),
    [("DEMO", "Demo", True), ("DEMO", "ann", False), ("ACME", "demo", False)],
)
def test_the_demo_of_a_version_before_is_recognised(
    database_url: str, tmp_path: Path, account: str, login: str, marked: bool
) -> None:
    if database_url.startswith("sqlite"):
        Path(str(make_url(database_url).database)).unlink()
    database = Database(database_url)
    if database.kind == "postgresql":
        with database.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    config = schema.migrations()
    with database.write() as connection:
        config.attributes |= {"connection": connection, "database": database}
        command.upgrade(config, "0009")
        made = "INSERT INTO account (name, time_zone, created_at) VALUES (:name, 'UTC', 0)"
        connection.execute(text(made), [{"name": "OTHER"}, {"name": account}])
        made = "INSERT INTO login (account_id, name, name_key, password_hash, may_call_api, created_at) "
        made += "VALUES (:account_id, :name, :name_key, 'x', :may, 0)"
        rows = [(1, "olaf", True), (2, login, False)]
        connection.execute(
            text(made),
            [{"account_id": n, "name": name, "name_key": name.lower(), "may": may} for n, name, may in rows],
        )
    schema.upgrade(database)
    product = Product.open(Settings(data_dir=tmp_path), database)
    held = product.accounts.demo_login()
    assert (held is not None) is marked
    # Everybody could use the console, also without the right to call.
    logins = [each for name in ("OTHER", account) for each, _ in product.accounts.logins(_named(product, name))]
    assert [(each.may_use_console, each.may_call_api, each.disabled) for each in logins] == [
        (True, True, False),
        (True, False, False),
    ]
    database.close()


def _named(product: Product, name: str):  # type: ignore[no-untyped-def]
    found = product.accounts.named(name)
    assert found is not None
    return found


def test_a_server_refuses_with_a_sentence(tmp_path: Path) -> None:
    """`serve` and `web`, and `--demo` on records of others."""
    for folder, demo in (("demo", True), ("own", False)):
        database = Database(f"sqlite:///{_made(tmp_path / folder) / 'soapstone.sqlite'}")
        schema.upgrade(database)
        product = Product.open(Settings(data_dir=tmp_path / folder), database)
        if demo:
            prepare_demo(product)
        else:
            product.accounts.create("ACME", time_zone="UTC")
        database.close()
    for arguments, folder, told in (
        (["serve", "--host", "0.0.0.0"], "demo", "These records hold demo data"),
        (["web", "--host", "::"], "demo", "These records hold demo data"),
        (["serve", "--demo"], "own", "which is not the demo's"),
    ):
        line = [sys.executable, "-m", "soapstone", *arguments, "--port", "0", "--data", str(tmp_path / folder)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1, done
        assert told in done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
