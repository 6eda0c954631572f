"""Everything that the description of the REST API allows, and some of what it does not, is asked of a real app."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from tests.api.description import CHECKS, described, described_for_a_login

from soapstone.product import Product

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


@MODES
def test_it_keeps_its_description(product: Product, mode: GenerationMode) -> None:
    answers: Counter[int] = Counter()

    def look(case: Any) -> None:
        answers[case.call_and_validate(checks=CHECKS).status_code] += 1

    for found in described_for_a_login(product).get_all_operations():
        operation = found.ok()
        # A stream that ends with its job: other tests have it.
        if not operation.path.endswith("/events"):
            ask(operation, mode, 10, look)
    assert answers.total() > 50
    if mode is GenerationMode.POSITIVE:
        # The one who asks is known to the end. Of what is not allowed, some has another header.
        assert answers[401] == 0


@MODES
def test_nobody_is_told_anything(product: Product, mode: GenerationMode) -> None:
    """Without a login every operation is refused; a body that is no JSON may be refused first."""
    refused = 0

    def look(case: Any) -> None:
        nonlocal refused
        refused += 1
        answer = case.call()
        assert answer.headers["content-type"] == ["application/problem+json"], answer.headers
        if answer.status_code != 401:
            assert mode is GenerationMode.NEGATIVE
            assert answer.status_code in (400, 404, 405, 413, 415, 422), (case, answer.status_code)
        else:
            assert "Bearer" in answer.headers["www-authenticate"][0]

    for found in described(product).get_all_operations():
        ask(found.ok(), mode, 3, look)
    assert refused > 50
    assert product.accounts.all() == []
