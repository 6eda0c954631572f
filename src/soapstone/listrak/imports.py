"""Imports: starting one."""

from __future__ import annotations

from collections.abc import Sequence

from soapstone.errors import InvalidError, NotFoundError
from soapstone.imports.spec import Action, Column, ImportSpec, Known
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import Call
from soapstone.product import received

# Import type → what the import does, and whether it takes profile data (lk-73).
TYPES: dict[t.ImportTypeEnum, tuple[Action, bool]] = {
    t.ImportTypeEnum.AddSubscribers: ("add", False),
    t.ImportTypeEnum.AddSubscribersAndProfileData: ("add", True),
    t.ImportTypeEnum.UpdateSubscribers: ("update", True),
    t.ImportTypeEnum.RemoveSubscribers: ("remove", False),
    t.ImportTypeEnum.RemoveSubscribersAndDeleteProfileData: ("remove_with_profile", False),
}
# Profile kind → what happens to known values (lk-55); not saying is updating (lk-74).
KNOWN: dict[t.ImportProfileTypeEnum, Known] = {
    t.ImportProfileTypeEnum.NotDefined: "update",
    t.ImportProfileTypeEnum.Update: "update",
    t.ImportProfileTypeEnum.Append: "append",
    t.ImportProfileTypeEnum.Overwrite: "overwrite",
}

TRIGGERING = (op.ConductorBulkLoadAndTriggerContacts, op.ConductorBulkLoadAndTriggerContactsWithOptions)


def bulk_load_contacts(call: Call, request: op.BulkLoadContacts | op.BulkLoadContactsWithOptions) -> int:
    """Start an import; the number of its process (lk-66 to lk-77). No option has an effect: no result is mailed."""
    return _load(call, request, request.fileMappings or [], None)


def conductor_bulk_load(
    call: Call, request: op.ConductorBulkLoadAndTriggerContacts | op.ConductorBulkLoadAndTriggerContactsWithOptions
) -> int:
    """Return the same with a column that names the external events to raise for its row (lk-71)."""
    mappings, events = [], None
    for mapping in filter(None, request.TriggerFileMappings or []):
        if not mapping.IsExternalEventColumn:
            mappings.append(
                t.WSFileMappings(
                    AttributeID=mapping.AttributeID,
                    DefaultValue=mapping.DefaultValue,
                    FileColumn=mapping.FileColumn,
                    IsEmailAddressColumn=mapping.IsEmailAddressColumn,
                )
            )
        elif events is not None:
            raise InvalidError("Two columns of the file are said to hold external events.")
        else:
            events = mapping
    return _load(call, request, mappings, events)


def _load(
    call: Call,
    request: op.BulkLoadContacts
    | op.BulkLoadContactsWithOptions
    | op.ConductorBulkLoadAndTriggerContacts
    | op.ConductorBulkLoadAndTriggerContactsWithOptions,
    mappings: Sequence[t.WSFileMappings | None],
    events: t.WSTriggerFileMappings | None,
) -> int:
    found = call.require_list(request.ListID)
    directives = request.WSImportDirectives
    if directives is None:
        raise InvalidError("WSImportDirectives is missing.")
    if request.ImportFileStream is None:
        raise InvalidError("ImportFileStream is missing.")
    action, takes_profile = TYPES[directives.ImportTypeEnum]
    spec = ImportSpec(
        columns=_columns(call, found.id, mappings, takes_profile),
        header=directives.HasColumnNames,
        delimiter={"": ",", r"\t": "\t"}.get(directives.FileDelimiter or "", directives.FileDelimiter or ""),
        qualifier=directives.TextQualifier or "",
        action=action,
        known=KNOWN[directives.ImportProfileTypeEnum] if takes_profile else "keep",
        blocked="skip",
        identified_by="email",
        triggers=isinstance(request, TRIGGERING),
        event_column=None if events is None else events.FileColumn,
        event_default="" if events is None else events.DefaultValue or "",
    )
    job = call.product.imports.submit(
        account=call.account,
        login=call.login,
        contact_list=found,
        upload=call.product.imports.unwrapped(received(request.ImportFileStream), spec.delimiter),
        spec=spec,
        label=directives.FileName or "",
    )
    return job.id


def _columns(
    call: Call, list_id: int, mappings: Sequence[t.WSFileMappings | None], takes_profile: bool
) -> tuple[Column, ...]:
    """Return the mapped columns (lk-69, lk-70). An import without profile data reads only the addresses (lk-73)."""
    known = {attribute.id for attribute in call.product.profiles.attributes(list_id)}
    columns = []
    for mapping in mappings:
        if mapping is None:
            continue
        if mapping.FileColumn < 0:
            raise InvalidError(f"FileColumn counts from 0; {mapping.FileColumn} is no column.")
        default = mapping.DefaultValue or ""
        if mapping.IsEmailAddressColumn:
            columns.append(Column(index=mapping.FileColumn, target="email", default=default))
        elif not mapping.AttributeID:
            # PHP sends 0 for a mapping that was left blank (lk-47).
            continue
        elif mapping.AttributeID not in known:
            raise NotFoundError(f"Attribute {mapping.AttributeID} does not exist on list {list_id}.")
        elif takes_profile:
            columns.append(Column(index=mapping.FileColumn, target=f"attribute:{mapping.AttributeID}", default=default))
    if not any(column.target == "email" for column in columns):
        raise InvalidError("No mapping names the column of the e-mail addresses.")
    return tuple(columns)
