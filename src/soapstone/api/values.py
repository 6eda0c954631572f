"""Types of values in requests: texts that can be stored, numbers that exist, pages with cursors."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any, Generic, Literal, Protocol, Self, TypeVar, cast

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from soapstone.address_repair import repaired
from soapstone.api.problems import ProblemError
from soapstone.store.numbers import LARGEST_CHOSEN

Item = TypeVar("Item")
Row = TypeVar("Row")
Thing = TypeVar("Thing", bound="_Numbered")
Choice = TypeVar("Choice")
# The mark of a page's end: a number, or texts.
Mark = TypeVar("Mark", int, tuple[str, str])

# RFC 3339 has a colon in the offset. Python clients of openapi-generator write none.
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# JSON numbers above this lose digits in other languages.
LARGEST = (1 << 53) - 1


def stripped(text: str) -> str:
    """Return the text without the characters that a database cannot hold."""
    return _UNSTORABLE.sub("", text)


def storable(text: str) -> str:
    """Return the text, if both databases can hold it. Raises ValueError."""
    if _UNSTORABLE.search(text):
        raise ValueError("holds a character that cannot be stored")
    return text


Text = Annotated[str, Field(max_length=10_000), AfterValidator(storable)]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)]
# Addresses are read as in files: `Ann <ann@x.example>` is ann@x.example.
Repaired = AfterValidator(repaired)
Email = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(storable), Repaired]
Number = Annotated[int, Path(ge=1, le=LARGEST)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Maximum items of a page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the previous page.")]


def _written_out(value: object) -> object:
    # A number would count as seconds since 1970.
    if isinstance(value, str) and not MOMENT.fullmatch(value):
        raise ValueError("is not a time with a zone, such as 2026-01-31T08:00:00Z")
    return value


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    Query(description="A time with a zone, such as 2026-01-31T08:00:00Z."),
]
Address = Annotated[
    str, Query(min_length=3, max_length=254, description="An e-mail address."), AfterValidator(storable), Repaired
]


# How rows of an answer that is a file are written.
RowsForm = Literal["csv", "ndjson"]
# A text body that is not JSON, for the description.
PLAIN: dict[str, Any] = {"schema": {"type": "string"}}


OneOf = Annotated[Choice, Field(strict=False)]
"""A member of a closed set in a request, which is a text there."""


class Body(BaseModel):
    """A request body: no unknown members, no values of other types."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Numbered(Body):
    """Something to create. Without `number` it gets the next one; choosing one needs `may_choose_numbers`."""

    number: Annotated[int, Field(ge=1, le=LARGEST_CHOSEN)] | None = None

    def chooses(self) -> bool:
        """Return whether a number is chosen, here or in what comes along."""
        return self.number is not None


class Named(Numbered):
    """Something to create: its name."""

    name: Name


class Page(BaseModel, Generic[Item]):
    """Some items; `next` is the cursor of the next page, null behind the last."""

    items: list[Item]
    next: str | None


def own(found: object, model: type[BaseModel]) -> dict[str, Any]:
    """Return a model's fields from an object."""
    return {name: getattr(found, name) for name in model.model_fields}


class Shown(BaseModel):
    """A part of an answer whose fields are attributes of an object of the product."""

    @classmethod
    def of(cls, found: Any) -> Self:
        """Return the object as it is shown."""
        return cls(**own(found, cls))


def page(
    cursor: str | None,
    limit: int,
    read: Callable[[Mark, int], Sequence[Row]],
    show: Callable[[Row], Item],
    mark: Callable[[Row], Mark] = attrgetter("id"),
    first: Mark = 0,  # type: ignore[assignment]
) -> Page[Item]:
    """Return one page: `read(after, limit)` reads rows behind a mark, `mark` returns the mark of a row, its number by
    default, and `first` is before all."""
    rows = read(marked(cursor, first), limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(items=[show(row) for row in rows], next=cursor_of(mark(rows[-1])) if more else None)


class _Numbered(Protocol):
    """Something with a number."""

    @property
    def id(self) -> int: ...


def paged(cursor: str | None, limit: int, found: Sequence[Thing], show: Callable[[Thing], Item]) -> Page[Item]:
    """Return one page of a short list in memory, by number."""
    return page(cursor, limit, lambda after, most: [each for each in found if each.id > after][:most], show)


def cursor_of(mark: int | tuple[str, str]) -> str:
    """Return the cursor that leads behind a mark."""
    return base64.urlsafe_b64encode(json.dumps(mark).encode()).decode()


def marked(cursor: str | None, first: Mark) -> Mark:
    """Return the mark that a cursor leads behind; `first` without one. Raises ProblemError for a cursor of other
    pages."""
    if cursor is None:
        return first
    try:
        value: Any = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (binascii.Error, ValueError):
        value = None
    if isinstance(first, tuple):
        fits = isinstance(value, list) and len(value) == len(first) and all(map(_is_text, value))
        value = tuple(value) if fits else None
    else:
        fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    if not fits:
        raise ProblemError(400, "The cursor is not valid.")
    return cast("Mark", value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _UNSTORABLE.search(value)
