"""Everything that the description of the REST API allows, and some of what it does not, is asked of real apps.

Requests are generated once and asked of an app on each kind of database: to generate them takes longest.
`make soak` asks many more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from tests.api.description import CHECKS, described, described_for_a_login
from tests.conftest import databases_of_both_kinds
from tests.postgresql import Databases

from soapstone.product import Product
from soapstone.settings import Settings

MODES = pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"]
)


def ask(operation: Any, mode: GenerationMode, examples: int, look: Callable[[Any], None]) -> None:
    """Ask so many times for an operation, always the same."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Any) -> None:
        look(case)

    try:
        run()
    except Unsatisfiable:
        # There is no wrong way to ask for this.
        assert mode is GenerationMode.NEGATIVE


@pytest.fixture
def products(sqlite_template: Path, postgresql_databases: Databases, tmp_path: Path) -> Iterator[list[Product]]:
    """Products without accounts, one on each kind of database."""
    with databases_of_both_kinds(sqlite_template, postgresql_databases, tmp_path) as databases:
        yield [Product.open(Settings(data_dir=tmp_path / each.kind), each) for each in databases]


@MODES
@pytest.mark.long
def test_it_keeps_its_description(products: list[Product], mode: GenerationMode) -> None:
    answers: Counter[int] = Counter()
    schemas = [described_for_a_login(product) for product in products]

    def look(case: Any) -> None:
        for schema in schemas:
            answers[case.call_and_validate(checks=CHECKS, app=schema.app).status_code] += 1

    for found in schemas[0].get_all_operations():
        operation = found.ok()
        # A stream that ends with its job: other tests have it.
        if not operation.path.endswith("/jobs/{job_id}/events"):
            ask(operation, mode, 4, look)
    assert answers.total() > 100
    if mode is GenerationMode.POSITIVE:
        # The one who asks is known to the end. Of what is not allowed, some has another header.
        assert answers[401] == 0


@MODES
@pytest.mark.long
def test_nobody_is_told_anything(products: list[Product], mode: GenerationMode) -> None:
    """Without a login every operation is refused; a body that is no JSON may be refused first."""
    refused = 0
    schemas = [described(product) for product in products]

    def look(case: Any) -> None:
        nonlocal refused
        for schema in schemas:
            refused += 1
            answer = case.call(app=schema.app)
            assert answer.headers["content-type"] == ["application/problem+json"], answer.headers
            if answer.status_code != 401:
                assert mode is GenerationMode.NEGATIVE
                assert answer.status_code in (400, 404, 405, 413, 415, 422), (case, answer.status_code)
            else:
                assert "Bearer" in answer.headers["www-authenticate"][0]

    for found in schemas[0].get_all_operations():
        ask(found.ok(), mode, 2, look)
    assert refused > 100
    assert [product.accounts.all() for product in products] == [[], []]
