"""Suppressed and banned addresses."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel

from soapstone.addresses import is_address
from soapstone.api.authentication import CallingForAll
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Address, Body, Cursor, Email, Limit, OneOf, Page, Shown, page
from soapstone.errors import InvalidError
from soapstone.vocabulary.contacts import SuppressionKind

router = APIRouter()


class SuppressionIn(Body):
    """An address to suppress in the whole account."""

    email: Email
    kind: OneOf[SuppressionKind] = SuppressionKind.SUPPRESSED


class Suppressed(Shown):
    """An address to which nothing is sent, in lower case, as it is kept."""

    email: str
    kind: str
    created_at: datetime


class SuppressionOut(BaseModel):
    """Whether the entry is new."""

    email: str
    kind: str
    added: bool


@router.get("/suppressions", tags=["suppressions"])
def list_suppressions(
    caller: CallingForAll, email: Address | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[Suppressed]:
    """List the account-wide suppressions by address, or those of one address."""
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.suppressions.page(caller.account.id, email, after=after, limit=most),
        Suppressed.of,
        lambda each: (each.email, each.kind),
        first=("", ""),
    )


@router.post("/suppressions", tags=["suppressions"], status_code=201, response_model=SuppressionOut)
def create_suppression(given: SuppressionIn, caller: CallingForAll, once: Making) -> Response:
    """Suppress or ban an address in the whole account, for both contracts."""
    if not is_address(given.email):
        raise InvalidError("The address is not an e-mail address.")
    return once(
        given,
        lambda: caller.product.suppressions.add(caller.account.id, given.email, kind=given.kind),
        lambda added: SuppressionOut(email=given.email, kind=given.kind, added=added),
    )


@router.delete("/suppressions", tags=["suppressions"], status_code=204)
def delete_suppression(caller: CallingForAll, email: Address, kind: SuppressionKind | None = None) -> None:
    """Lift an account-wide suppression, or both kinds. Unsubscribes and shut channels stay."""
    if not caller.product.suppressions.remove(caller.account.id, email, kind=kind):
        raise not_found("suppression")
