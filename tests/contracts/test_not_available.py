"""Every operation has a handler. One without would answer a fault that says so, after the checks of every call."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest

from soapstone.listrak import service as listrak
from soapstone.magnetmail import service as magnetmail
from soapstone.magnetmail.operations import CONTRACT
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.wire.contract import Contract
from soapstone.wire.types import Struct

if TYPE_CHECKING:
    from tests.contracts.conftest import Driver

MODULES: dict[str, Any] = {"magnetmail": magnetmail, "listrak": listrak}
SERVICES = {"magnetmail": magnetmail.MagnetMailService, "listrak": listrak.ListrakService}
REFUSALS = {
    "magnetmail": "[InvalidSession] The session is unknown or has expired. Call Authenticate again.",
    "listrak": "[InvalidLogonAttempt] The user name or password is not valid.",
}
CODES = {"1.1": "Server", "1.2": "Receiver"}


@pytest.fixture(scope="module")
def product(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    path = folder / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield Product.open(Settings(data_dir=folder), database)
    database.close()


@pytest.fixture(scope="module")
def header(name: str, product: Product) -> str:
    """A header block with good credentials."""
    if product.accounts.named("ACME") is None:
        account = product.accounts.create("ACME", time_zone="America/New_York")
        product.accounts.add_login(account, "ann", "secret")
    if name == "listrak":
        words = "<UserName>ann</UserName><Password>secret</Password>"
        return f'<WSUser xmlns="http://webservices.listrak.com/v31/">{words}</WSUser>'
    session = product.sessions.open(product.logons.identify("ann", "secret", None))
    return f'<mmAuthHeader xmlns="http://www.magnetmail.net/"><sessionId>{session}</sessionId></mmAuthHeader>'


@pytest.fixture
def served(name: str, product: Product, make_driver: Callable[..., Driver]) -> Driver:
    return make_driver(name, SERVICES[name](product))


def fault(content: bytes) -> tuple[str, str]:
    """(code, text) of a fault of either version."""
    text = content.decode()
    found = re.search(r"<faultcode>soap:(.*)</faultcode><faultstring>(.*)</faultstring>", text) or re.search(
        r'<soap:Value>soap:(.*)</soap:Value>.*<soap:Text xml:lang="en">(.*)</soap:Text>', text
    )
    assert found, text
    return found[1], unescape(found[2])


@pytest.fixture
def operation(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An operation without a handler. The contracts have none, so it is taken from one."""
    monkeypatch.setattr(MODULES[name].HANDLERS, "get", lambda _: None)
    return {"magnetmail": "getGroups", "listrak": "GetContactListCollection"}[name]


def test_every_handler_takes_the_request_of_its_operation(name: str, contract: Contract) -> None:
    module = MODULES[name]
    handlers = module.HANDLERS.all() | getattr(module, "OPEN_HANDLERS", {})
    assert contract.operations_by_name.keys() == handlers.keys()
    for operation, handler in handlers.items():
        hints, declared = get_type_hints(handler), contract.operations_by_name[operation]
        taken = hints["request"]
        if getattr(taken, "_is_protocol", False):
            # One handler for several operations: it takes requests with these members, and answers rows or an object.
            asked, given = get_type_hints(taken), get_type_hints(declared.request)
            assert asked == {name: given.get(name) for name in asked}, operation
            assert (hints["return"] is Struct) is not declared.wraps_result, operation
        else:
            assert declared.request in (get_args(taken) or (taken,)), operation


def test_every_module_with_handlers_is_one_of_its_contract(name: str) -> None:
    service = MODULES[name]
    files = Path(service.__file__ or "").parent.glob("*.py")
    takes_requests = re.compile(r"^def [a-z]\w*\(\s*call: Call, request: |^HANDLERS: Handlers", re.MULTILINE)
    assert {path.stem for path in files if takes_requests.search(path.read_text())} == set(service.HANDLERS.modules)


def test_mm_2_operations_without_a_session_are_those_without_a_header() -> None:
    declared = CONTRACT.operations_by_name
    assert {each for each in declared if not declared[each].header} == magnetmail.OPEN_HANDLERS.keys()


def test_a_handler_belongs_to_one_declared_operation() -> None:
    known, unknown = {"getGroups": str}, {"getGroup": str}
    assert CONTRACT.handlers(known, {"addGroup": str}) == {"getGroups": str, "addGroup": str}
    with pytest.raises(TypeError, match="'getGroup'"):
        CONTRACT.handlers(known, unknown)
    with pytest.raises(TypeError, match="'getGroups'"):
        CONTRACT.handlers(known, known)


@pytest.mark.parametrize("version", CODES)
def test_a_good_call_is_told(
    served: Driver, name: str, header: str, operation: str, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Operators see in the log whom it hits."""
    caplog.clear()
    reply = served.call(operation, header=header, version=version)
    assert reply.status == 500
    prefix = "Server was unable to process request. ---> "
    assert fault(reply.content) == (CODES[version], f"{prefix}[NotImplemented] {operation} is not available yet.")
    (told,) = [each.__dict__ for each in caplog.records if each.message == "operation is not available"]
    assert (told["levelname"], told["name"]) == ("WARNING", f"soapstone.{name}.service")
    assert (told["operation"], told["login"], told["account"]) == (operation, "ann", 1)


@pytest.mark.parametrize("version", CODES)
def test_credentials_come_first(served: Driver, name: str, operation: str, version: str) -> None:
    prefix = "Server was unable to process request. ---> "
    reply = served.call(operation, version=version)
    assert (reply.status, *fault(reply.content)) == (500, CODES[version], prefix + REFUSALS[name])


@pytest.mark.parametrize("name", ["magnetmail"], scope="module")
def test_mm_16_the_account_of_the_body_is_checked_first(served: Driver, header: str) -> None:
    reply = served.call("getUserDetails", "<user_id>OTHER</user_id>", header)
    assert fault(reply.content)[1].endswith("[AccessDenied] This session may not use account OTHER.")
