"""Imports: starting one."""

from __future__ import annotations

from collections.abc import Sequence

from soapstone.imports.spec import Action, Column, ImportSpec, InvalidImport, Known
from soapstone.listrak.call import Call, not_found
from soapstone.listrak.operations import BulkLoadContacts, BulkLoadContactsWithOptions
from soapstone.listrak.types import ImportProfileTypeEnum, ImportTypeEnum, WSFileMappings
from soapstone.product import received
from soapstone.wire.faults import Fault

# Import type → what the import does, and whether it takes profile data (lk-73).
TYPES: dict[ImportTypeEnum, tuple[Action, bool]] = {
    ImportTypeEnum.AddSubscribers: ("add", False),
    ImportTypeEnum.AddSubscribersAndProfileData: ("add", True),
    ImportTypeEnum.UpdateSubscribers: ("update", True),
    ImportTypeEnum.RemoveSubscribers: ("remove", False),
    ImportTypeEnum.RemoveSubscribersAndDeleteProfileData: ("remove_with_profile", False),
}
# Profile kind → what happens to known values (lk-55); not saying is updating (lk-74).
KNOWN: dict[ImportProfileTypeEnum, Known] = {
    ImportProfileTypeEnum.NotDefined: "update",
    ImportProfileTypeEnum.Update: "update",
    ImportProfileTypeEnum.Append: "append",
    ImportProfileTypeEnum.Overwrite: "overwrite",
}


def bulk_load_contacts(call: Call, request: BulkLoadContacts | BulkLoadContactsWithOptions) -> int:
    """Start an import; the number of its process (lk-66 to lk-77). No option has an effect: no result is mailed."""
    found = call.find_list(request.ListID)
    if found is None:
        raise Fault(not_found(request.ListID))
    directives = request.WSImportDirectives
    if directives is None:
        raise Fault("[InvalidArgument] WSImportDirectives is missing.")
    if request.ImportFileStream is None:
        raise Fault("[InvalidArgument] ImportFileStream is missing.")
    action, takes_profile = TYPES[directives.ImportTypeEnum]
    try:
        spec = ImportSpec(
            columns=_columns(call, found.id, request.fileMappings or [], takes_profile),
            header=directives.HasColumnNames,
            delimiter={"": ",", r"\t": "\t"}.get(directives.FileDelimiter or "", directives.FileDelimiter or ""),
            qualifier=directives.TextQualifier or "",
            action=action,
            known=KNOWN[directives.ImportProfileTypeEnum] if takes_profile else "keep",
            blocked="skip",
            identified_by="email",
        )
        job = call.product.imports.submit(
            account=call.account,
            login=call.login,
            contact_list=found,
            upload=call.product.imports.unwrapped(received(request.ImportFileStream), spec.delimiter),
            spec=spec,
            label=directives.FileName or "",
        )
    except InvalidImport as refusal:
        raise Fault(f"[InvalidArgument] {refusal}") from None
    return job.id


def _columns(
    call: Call, list_id: int, mappings: Sequence[WSFileMappings | None], takes_profile: bool
) -> tuple[Column, ...]:
    """The mapped columns (lk-69, lk-70). An import without profile data reads only the addresses (lk-73)."""
    known = {attribute.id for attribute in call.product.profiles.attributes(list_id)}
    columns = []
    for mapping in mappings:
        if mapping is None:
            continue
        if mapping.FileColumn < 0:
            raise Fault(f"[InvalidArgument] FileColumn counts from 0; {mapping.FileColumn} is no column.")
        default = mapping.DefaultValue or ""
        if mapping.IsEmailAddressColumn:
            columns.append(Column(index=mapping.FileColumn, target="email", default=default))
        elif mapping.AttributeID not in known:
            raise Fault(f"[NotFound] Attribute {mapping.AttributeID} does not exist on list {list_id}.")
        elif takes_profile:
            columns.append(Column(index=mapping.FileColumn, target=f"attribute:{mapping.AttributeID}", default=default))
    if not any(column.target == "email" for column in columns):
        raise Fault("[InvalidArgument] No mapping names the column of the e-mail addresses.")
    return tuple(columns)
