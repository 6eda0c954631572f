"""The description names what operations share once, so that generated clients have one type for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from soapstone.api.app import rest
from soapstone.api.contacts import ContactIn
from soapstone.api.description import EXAMPLES, TAGS
from soapstone.api.lists import ListIn, SubscriptionIn
from soapstone.api.messages import MessageIn
from soapstone.api.sends import SendIn
from soapstone.api.suppressions import SuppressionIn
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.vocabulary.jobs import JobKind

MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model for model in (ContactIn, ListIn, MessageIn, SendIn, SubscriptionIn, SuppressionIn)
}


@pytest.fixture
def document(product: Product) -> Any:
    return rest(product).openapi()


def operations(document: Any) -> Iterator[Any]:
    for found in document["paths"].values():
        yield from found.values()


def schemas(part: Any) -> Iterator[Any]:
    if isinstance(part, dict):
        yield part
        for each in part.values():
            yield from schemas(each)
    elif isinstance(part, list):
        for each in part:
            yield from schemas(each)


def test_operations_have_stable_names_and_a_described_tag(document: Any) -> None:
    names = Counter(each["operationId"] for each in operations(document))
    assert set(names.values()) == {1}
    assert {"create_list", "create_list_import", "get_job", "create_send", "export_list"} <= names.keys()
    used = {tag for each in operations(document) for tag in each["tags"]}
    assert used == TAGS.keys() == {tag["name"] for tag in document["tags"]}
    assert all(len(each["tags"]) == 1 for each in operations(document))


def test_refusals_are_shared(document: Any) -> None:
    text = {"$ref": "#/components/schemas/Problem"}
    for each in operations(document):
        for status in ("400", "401", "403", "404", "409", "413", "415", "422", "503"):
            place = each["responses"][status]["$ref"].removeprefix("#/components/responses/")
            assert document["components"]["responses"][place]["content"]["application/problem+json"]["schema"] == text
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_jobs_can_be_asked_for_by_every_kind_that_they_have(product: Product, document: Any) -> None:
    kinds = document["components"]["schemas"]["JobKind"]["enum"]
    assert set(kinds) == {*runners(product), JobKind.UPLOAD_ENTRY}


def test_closed_sets_are_named_once(document: Any) -> None:
    named = [name for name, schema in document["components"]["schemas"].items() if "enum" in schema]
    assert len({tuple(document["components"]["schemas"][name]["enum"]) for name in named}) == len(named)
    assert sum(isinstance(each.get("enum"), list) for each in schemas(document)) == len(named)


def test_bodies_have_media_types_that_generators_know(document: Any) -> None:
    # openapi-python-client omits a body of another type, and an answer that has only others, each with a warning.
    known = {"application/json", "application/octet-stream", "multipart/form-data"}
    taken = {media for each in operations(document) for media in each.get("requestBody", {}).get("content", {})}
    assert taken == known
    answers = [answer for each in operations(document) for answer in each["responses"].values() if "content" in answer]
    for answer in answers:
        assert any(
            media in known or media.startswith("text/") or media.endswith("+json") for media in answer["content"]
        )


def test_every_reference_leads_somewhere(document: Any) -> None:
    for each in schemas(document):
        if isinstance(reference := each.get("$ref"), str):
            part = document
            for step in reference.removeprefix("#/").split("/"):
                part = part[step]


def test_examples_are_requests_that_the_schema_allows(document: Any) -> None:
    for name, example in EXAMPLES.items():
        assert document["components"]["schemas"][name]["examples"] == [example]
        MODELS[name].model_validate_json(json.dumps(example))
