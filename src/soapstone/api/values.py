"""Types of values in requests: texts that can be stored, numbers that exist, pages with cursors."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from soapstone.api.problems import Refused

Item = TypeVar("Item")
Row = TypeVar("Row")

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# JSON numbers above this lose digits in other languages.
LARGEST = (1 << 53) - 1


def storable(text: str) -> str:
    """The text, if both databases can hold it. Raises ValueError."""
    if _UNSTORABLE.search(text):
        raise ValueError("holds a character that cannot be stored")
    return text


Text = Annotated[str, Field(max_length=10_000), AfterValidator(storable)]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)]
Email = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(storable)]
Number = Annotated[int, Path(ge=1, le=LARGEST)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


class Body(BaseModel):
    """A request: nothing unknown in it, no value of another type."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Page(BaseModel, Generic[Item]):
    """Some items; `next` is the cursor of the next page, null behind the last."""

    items: list[Item]
    next: str | None


def own(found: object, model: type[BaseModel]) -> dict[str, Any]:
    """What an object has of a model's fields."""
    return {name: getattr(found, name) for name in model.model_fields}


def page(
    cursor: str | None,
    limit: int,
    read: Callable[[int, int], Sequence[Row]],
    mark: Callable[[Row], int],
    show: Callable[[Row], Item],
) -> Page[Item]:
    """One page: `read(after, limit)` reads rows behind a number, which `mark` tells of a row."""
    rows = read(_decoded(cursor), limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    following = base64.urlsafe_b64encode(json.dumps(mark(rows[-1])).encode()).decode() if more else None
    return Page(items=[show(row) for row in rows], next=following)


def _decoded(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        value: Any = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (binascii.Error, ValueError):
        value = None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise Refused(400, "The cursor is none of ours.")
    return value
