"""The review group of a list."""

from __future__ import annotations

from fastapi import APIRouter, Response

from soapstone.addresses import is_address
from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Body, Email, Number
from soapstone.errors import InvalidError

router = APIRouter()


class Reviewer(Body):
    """An address that gets review copies."""

    email: Email


@router.get("/lists/{list_id}/review-group", tags=["review group"])
def list_reviewers(list_id: Number, caller: Calling) -> list[str]:
    """List the addresses that get review copies."""
    return caller.product.review_groups.all(caller.list(list_id).id)


@router.post("/lists/{list_id}/review-group", tags=["review group"], response_model=list[str])
def add_reviewer(list_id: Number, given: Reviewer, caller: Calling, once: Making) -> Response:
    """Add an address to the review group; return the whole group."""
    here = caller.list(list_id)
    if not is_address(given.email):
        raise InvalidError("The address is not an e-mail address.")
    return once(
        given,
        lambda: caller.product.review_groups.add(caller.account.id, here.id, given.email),
        status=200,
    )


@router.delete("/lists/{list_id}/review-group/{email:path}", tags=["review group"], status_code=204)
def remove_reviewer(list_id: Number, email: Email, caller: Calling) -> None:
    """Take an address out of the review group."""
    if not caller.product.review_groups.remove(caller.list(list_id).id, email):
        raise not_found("address in the review group")
