"""A shadow whose scratch account was migrated from the live service compares calls about what was there before."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import LocalServed
from tests.shadow.conftest import ACCOUNT, LOGIN, PASSWORD, Client, shadowing
from typer.testing import CliRunner

from soapstone.cli import app
from soapstone.shadow.report import as_text, decision
from soapstone.shadow.targets import ACCOUNT as SCRATCH
from soapstone.shadow.targets import LOGIN as SCRATCH_LOGIN

PATHS = {"listrak": "/v31/IntegrationService.asmx", "magnetmail": "/mmapi.asmx"}


def run(*words: str) -> None:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output


def test_records_from_before_are_compared(live: LocalServed, folder: Path, tmp_path: Path) -> None:
    account = live.product.accounts.named(ACCOUNT)
    assert account is not None
    group = live.product.lists.create(account.id, "Readers").id
    for name in ("eva", "fay"):
        live.product.contacts.add(account, {"email": f"{name}@example.com", "first_name": name}, [group])
    password, data = tmp_path / "password", str(folder / "records")
    password.write_text(PASSWORD)
    run("db", "upgrade", "--data", data)
    secret = ["--password-file", str(password)]
    run("account", "create", SCRATCH, "--login", SCRATCH_LOGIN, *secret, "--time-zone", "Europe/Athens", "--data", data)
    # So the migrated one gets another number.
    run("list", "create", "Another", "--number", str(group), "--data", data)
    for contract, path in PATHS.items():
        run("migrate", contract, live.base + path, "--login", LOGIN, *secret, "--rate", "0", "--data", data)
    with shadowing(live.base, folder) as shadow:
        client = Client(shadow.base)
        client.listrak("GetContactList", f"<ListID>{group}</ListID>")
        client.listrak("ReportSubscribedContacts", f"<ListID>{group}</ListID><Page>1</Page>")
        client.log_in()
        client.magnetmail("getGroupDetails", f"<groupId>{group}</groupId>")
        client.magnetmail(
            "getGroupRecipients", f"<groupId>{group}</groupId><pageNumber>1</pageNumber><pageCount>9</pageCount>"
        )
        client.magnetmail("addRecipient", f"<email>eva@example.com</email><groups><int>{group}</int></groups>")
        document = shadow.report(6)
    assert document["skipped"] == {}, as_text(document)
    assert decision(document).startswith("6 operations used, 6 available, 0 unexplained differences"), as_text(document)
