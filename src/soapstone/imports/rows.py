"""Rows: the fields of a record, checked and put where the spec wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from soapstone.imports import outcomes
from soapstone.imports.attributes import stored
from soapstone.imports.spec import ImportSpec
from soapstone.lists.addresses import address_key, is_address, is_role
from soapstone.lists.profiles import ProfileAttribute


class Rows:
    """Reads rows by a spec. `key` is the column that tells people apart, "email" or "custom_id"."""

    def __init__(self, spec: ImportSpec, key: str, attributes: Sequence[ProfileAttribute]) -> None:
        self.key = key
        # Contact columns that the file has, without the key.
        self.columns = [
            column.target for column in spec.columns if column.attribute_id is None and column.target != key
        ]
        self._others = [
            column for column in spec.columns if column.attribute_id is None and column.target not in ("email", key)
        ]
        by_target = {column.target: column for column in spec.columns}
        self._email = by_target.get("email")
        self._custom_id = by_target.get("custom_id") if key == "custom_id" else None
        kinds = {attribute.id: attribute for attribute in attributes}
        # An attribute that was deleted since the import was asked for has nowhere to go.
        self._attributes = [
            (column, kinds[column.attribute_id]) for column in spec.columns if column.attribute_id in kinds
        ]
        self.has_profile = bool(self._attributes)
        self._reject_roles = spec.reject_roles
        self._blanks_count = spec.known == "overwrite"

    def check(self, fields: list[str]) -> tuple[str, str, str]:
        """Key, address and flaw of a row: the flaw is "" or the outcome of a row that cannot be used."""
        email = key = ""
        if (column := self._email) is not None:
            email = _value(fields, column.index, column.default).strip()
        if (column := self._custom_id) is not None:
            key = _value(fields, column.index, column.default).strip()
            if not key:
                return "", email, outcomes.MISSING_KEY
        elif not email:
            return "", "", outcomes.MISSING_KEY
        if email:
            if not is_address(email):
                return "", email, outcomes.INVALID_ADDRESS
            if self._reject_roles and is_role(email):
                return "", email, outcomes.ROLE_ADDRESS
        return key or address_key(email), email, ""

    def key_of(self, fields: list[str]) -> str:
        """The key of a valid row, "" for any other."""
        return self.check(fields)[0]

    def values(self, fields: list[str], key: str, email: str) -> dict[str, Any]:
        """What a checked row says: `key`, `email`, the contact's other columns, `profile` where there is one.

        The profile is a patch: attribute number → stored value, None for one to be emptied.
        """
        values: dict[str, Any] = {"key": key, "email": email, "email_key": address_key(email)}
        for column in self._others:
            values[column.target] = _value(fields, column.index, column.default)
        if self.has_profile:
            values["profile"] = self._profile(fields)
        return values

    def _profile(self, fields: list[str]) -> dict[str, str | None]:
        patch: dict[str, str | None] = {}
        for column, attribute in self._attributes:
            value = stored(attribute.kind, _value(fields, column.index, column.default), attribute.max_length)
            if value:
                patch[str(attribute.id)] = value
            elif value == "" and self._blanks_count:
                patch[str(attribute.id)] = None
        return patch


def _value(fields: list[str], index: int, default: str) -> str:
    # Short rows are padded (mm-46).
    value = fields[index] if index < len(fields) else ""
    return value if value and not value.isspace() else default or value
