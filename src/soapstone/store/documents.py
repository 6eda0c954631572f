"""Columns of JSON documents, JSONB on PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import JSON, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class Document(TypeDecorator[Any]):
    """A column of documents.

    Not a variant of JSON: that would load the drivers of PostgreSQL wherever a server starts with SQLite.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB())
        return super().load_dialect_impl(dialect)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        # The operand of a comparison is no document.
        return self.impl_instance.coerce_compared_value(op, value)


_decode = json.JSONDecoder().raw_decode


def read_document(text: str) -> Any:
    """Return the document that a text of SQLite is.

    `json.loads` looks for blanks around it by patterns, which takes several times as long as to read a short one.
    """
    try:
        document, end = _decode(text)
    except ValueError:
        end = -1
    return document if end == len(text) else json.loads(text)
