"""The description of the REST API: each part that operations share stands in it once, under a name.

Generators of clients make a type of each schema that stands by itself, so that the same refusal written out for every
operation, or the same closed set of texts for every parameter, is hundreds of types.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import APIRoute

from soapstone.api.categories import CategoryKind
from soapstone.api.imports import FORM, ImportMode, OptOutColumns
from soapstone.api.messages import Kind
from soapstone.api.problems import MEDIA_TYPE, REFUSALS, Problem
from soapstone.api.values import RowsForm
from soapstone.contacts.subscriptions import Update
from soapstone.imports.spec import Action, Blocked, IdentifiedBy, Known
from soapstone.lists.profile_filter import Comparison, Join
from soapstone.sending.messages.message import Charset
from soapstone.sending.messages.unsubscribe_link import Choice

_PROBLEM = "Problem"
# Closed sets outside the vocabulary, by the names that clients use.
_SETS: dict[str, tuple[str, ...]] = {
    "BlockedRows": get_args(Blocked),
    "CategoryKind": get_args(CategoryKind),
    "Charset": get_args(Charset),
    "Comparison": get_args(Comparison),
    "ContactKey": get_args(IdentifiedBy),
    "ImportAction": get_args(Action),
    "ImportMode": get_args(ImportMode),
    "Join": get_args(Join),
    "OnExisting": get_args(Known),
    "OptOutColumns": get_args(OptOutColumns),
    "ProfileUpdate": get_args(Update),
    "RowsForm": get_args(RowsForm),
    "StoredMessageKind": get_args(Kind),
    "UnsubscribeLink": get_args(Choice),
}
# An example request, by the name of its schema.
EXAMPLES: dict[str, dict[str, Any]] = {
    "ContactIn": {"email": "ada@example.com", "fields": {"first_name": "Ada", "city": "London"}, "lists": [1]},
    "ListIn": {"name": "Newsletter"},
    "MessageIn": {
        "name": "May",
        "list_id": 1,
        "subject": "News of May",
        "from_address": "news@example.com",
        "html": "<p>Hello {{ first_name }}</p>",
    },
    "SendIn": {"message_id": 1, "to": {"kind": "list", "list_id": 1}},
    "SubscriptionIn": {"email": "ada@example.com"},
    "SuppressionIn": {"email": "ada@example.com", "kind": "suppressed"},
}
TAGS = {
    "account": "The account, its tokens, logins and audit log.",
    "lists": "Contact lists, their members and subscriptions.",
    "external events": "Events that calls and imports raise for a list's contacts.",
    "campaigns": "Campaigns of a list.",
    "review group": "Addresses that get review copies of a list's messages.",
    "profile": "The profile attributes of a list.",
    "contacts": "The contacts of the account.",
    "categories": "Categories of lists and of messages.",
    "searches": "Saved searches for contacts.",
    "mappings": "Objects of another system and their counterparts here.",
    "occasions": "Events and their sign-ups.",
    "suppressions": "Addresses that get no mail.",
    "imports": "Imports of contact files, and the outcome of each row.",
    "jobs": "Background work: progress, cancelling, retrying.",
    "exports": "Lists as files.",
    "messages": "Stored messages.",
    "sends": "Sends, and the ledger of their recipients.",
    "incoming mail": "Bounces, complaints and other mails that came in about sent ones.",
    "figures": "What became of mails, in figures.",
    "mail events": "Sent mails, bounces, opens, reads and clicks, one by one.",
}


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation: that of its function."""
    return route.name


class Described(FastAPI):
    """An app whose operations are named by their functions and whose description repeats nothing."""

    def __init__(self, **options: Any) -> None:
        tags = [{"name": name, "description": text} for name, text in TAGS.items()]
        super().__init__(openapi_tags=tags, generate_unique_id_function=operation_id, **options)

    def openapi(self) -> dict[str, Any]:
        """Return the description, built at the first request."""
        if self.openapi_schema is None:
            made = super().openapi()
            _share_refusals(made)
            _share_sets(made)
            _tell_quotes(made)
            schemas = made["components"]["schemas"]
            schemas["ImportForm"] = FORM
            for name, example in EXAMPLES.items():
                schemas[name]["examples"] = [example]
            self.openapi_schema = made
        assert self.openapi_schema is not None  # noqa: S101 - for the type checker
        return self.openapi_schema


def _share_refusals(document: dict[str, Any]) -> None:
    schema = Problem.model_json_schema()
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_PROBLEM}"}}}
    refusals = {status: HTTPStatus(status) for status in REFUSALS}
    document["components"]["schemas"][_PROBLEM] = schema
    document["components"]["responses"] = {
        _response(status): {"description": status.phrase, "content": content} for status in refusals.values()
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            for number, status in refusals.items():
                operation["responses"][str(number)] = {"$ref": f"#/components/responses/{_response(status)}"}


def _response(status: HTTPStatus) -> str:
    return status.phrase.replace(" ", "")


def _share_sets(document: dict[str, Any]) -> None:
    # An open set has no values here.
    names = {values: name for name, values in _SETS.items() if values}
    used: dict[str, Any] = {}
    for schema in list(_having("enum", document)):
        values = tuple(schema["enum"])
        if name := names.get(values):
            used[name] = {"type": "string", "enum": list(values), "title": name}
            kept = {word: schema[word] for word in ("default", "description") if word in schema}
            schema.clear()
            schema |= {"$ref": f"#/components/schemas/{name}"} | kept
    document["components"]["schemas"] |= used


def _tell_quotes(document: dict[str, Any]) -> None:
    """Describe in words a default that is a quote: openapi-python-client 0.29 puts a backslash before it, and sends
    both."""
    for schema in _having("default", document):
        if schema["default"] == '"':
            del schema["default"]
            schema["description"] = 'Without it: "'


def _having(word: str, part: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects of a document that have this word."""
    if isinstance(part, dict):
        if word in part:
            yield part
        for each in part.values():
            yield from _having(word, each)
    elif isinstance(part, list):
        for each in part:
            yield from _having(word, each)
