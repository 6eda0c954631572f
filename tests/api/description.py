"""What an app must keep of its own description, and an account to ask it with."""

from __future__ import annotations

import base64
from typing import Any

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from soapstone.api.app import rest
from soapstone.product import Product

# What may be asked is wider than what makes sense: a well-formed address need not be one, so refusals are no faults.
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def described(product: Product) -> Any:
    """The description of the API, asked by nobody."""
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", rest(product))


def described_for_a_login(product: Product) -> Any:
    """The description of the API, asked by the login of an account with two lists, a contact on each."""
    account = product.accounts.create("DESCRIBED", time_zone="UTC")
    product.accounts.add_login(account, "described", "secret")
    for name in ("One", "Two"):
        made = product.lists.create(account.id, name)
        product.contacts.add(account, {"email": f"{name}@example.com"}, [made.id])
    schema = described(product)
    # No token: it would be among those that are revoked.
    basic = base64.b64encode(b"described:secret").decode()
    schema.config.update(headers={"Authorization": f"Basic {basic}"})
    return schema
