"""SQL expressions that merge a patch into profile documents, on either database.

A patch holds a value or null for each attribute in it; null clears the attribute. Stored documents hold no nulls and no
blanks.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, func

Expression = ColumnElement[Any]


class Documents:
    """Expressions over JSON documents for one kind of database."""

    def __init__(self, kind: str) -> None:
        self._sqlite = kind == "sqlite"

    def fresh(self, patch: Expression) -> Expression:
        """Return the document of a new member."""
        if self._sqlite:
            return func.json_patch("{}", patch, type_=Text())
        return func.jsonb_strip_nulls(patch, type_=patch.type)

    def patched(self, old: Expression, patch: Expression) -> Expression:
        """Return the document with the patch's values in it."""
        if self._sqlite:
            return func.json_patch(old, patch, type_=Text())
        return func.jsonb_strip_nulls(old.op("||")(patch), type_=patch.type)

    def filled(self, old: Expression, patch: Expression) -> Expression:
        """Return the document with the patch's values only for missing ones (lk-55: append)."""
        if self._sqlite:
            # Twice, to keep the order of keys, so that only real changes differ.
            return func.json_patch(old, func.json_patch(patch, old), type_=Text())
        return func.jsonb_strip_nulls(patch.op("||")(old), type_=patch.type)

    def differ(self, old: Expression, new: Expression) -> Expression:
        """Return whether a document from one of the above differs from the old one."""
        if self._sqlite:
            # As text without white space, as SQLite writes its results.
            return func.json(old, type_=Text()) != new
        return old != new
