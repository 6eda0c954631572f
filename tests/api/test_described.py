"""Everything that the description of the REST API allows, and some of what it does not, is asked of a real app."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from soapstone.api.app import rest
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database

# What may be asked is wider than what makes sense: a well-formed address need not be one, so refusals are no faults.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
def described(sqlite_template: Path, tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    product = Product.open(Settings(data_dir=tmp_path), database)
    account = product.accounts.create("ACME", time_zone="UTC")
    login = product.accounts.add_login(account, "ann", "secret")
    for name in ("One", "Two"):
        made = product.lists.create(account.id, name)
        product.recipients.add(account, {"email": f"{name}@example.com"}, [made.id])
    _, secret = product.tokens.add(account, login, "test")
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", rest(product))
    schema.config.update(headers={"Authorization": f"Bearer {secret}"})
    yield schema
    database.close()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"])
def test_it_keeps_its_description(described: Any, mode: GenerationMode) -> None:
    asked = 0
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):
            # A stream that ends with its job: tests of a started server have it.
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=10,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=CHECKS)

        try:
            ask()
        except Unsatisfiable:
            # There is no wrong way to ask for this.
            assert mode is GenerationMode.NEGATIVE
    assert asked > 50
