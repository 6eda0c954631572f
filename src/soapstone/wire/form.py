"""The test form of a help page: fields for a request, from which its script builds the envelope and posts it (asmx-29).

The form gives no extra access: it posts ordinary SOAP calls.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.schema import ArrayType, EnumType, Member, ScalarType, StructType

SCRIPT = files("soapstone.wire").joinpath("form.js").read_text("utf-8")
"""The script of every form."""

_BOOLEANS = ("true", "false")


@dataclass(frozen=True)
class Prefill:
    """The initial values of a contract's test forms.

    A field is named by the path of its element within header or body, such as `WSUser/UserName`. `values` are known
    from the start. `kept` maps elements of an answer of `kept_from` to fields that they fill from then on, in the tab
    that got the answer.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    kept_from: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)


def request_form(contract: Contract, operation: Operation, prefill: Prefill) -> str:
    """Return the form of one operation, with its script and the places for the answer."""
    header = contract.header_type if operation.header else None
    parts = [("Header", header)] if header is not None else []
    groups = "".join(
        f'<fieldset name="{escape(kind.name)}" data-part="{part}">\n<legend>{part}: {escape(kind.name)}</legend>\n'
        + (_members(kind, kind.name, prefill, ()) or "<p>Nothing to fill in.</p>\n")
        + "</fieldset>\n"
        for part, kind in [*parts, ("Body", operation.request_type)]
    )
    data = {
        "path": contract.path,
        "namespace": contract.namespace,
        "operation": operation.name,
        "kept": json.dumps(dict(prefill.kept)),
        "kept-from": prefill.kept_from,
    }
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return (
        "<p>Fields that stay empty are left out of the request.</p>\n"
        "<noscript><p>The form needs JavaScript.</p></noscript>\n"
        f'<form id="test" autocomplete="off"{attributes}>\n{groups}'
        '<p class="invoke"><label>SOAP version <select id="version"><option>1.1</option><option>1.2</option></select>'
        '</label> <button>Invoke</button> <output id="status"></output></p>\n</form>\n'
        '<div id="exchange" hidden>\n<h4>Answer</h4>\n<pre id="answer" tabindex="0"></pre>\n'
        '<details><summary>Request as it was sent</summary>\n<pre id="sent" tabindex="0"></pre></details>\n</div>\n'
        f"<script>{SCRIPT}</script>\n"
    )


def _members(kind: StructType, path: str, prefill: Prefill, within: tuple[StructType, ...]) -> str:
    return "".join(
        _member(member, f"{path}/{member.name}", prefill, (*within, kind)) * (2 if member.flat else 1)
        for member in kind.all_members
    )


def _member(member: Member, path: str, prefill: Prefill, within: tuple[StructType, ...]) -> str:
    """Return the field of a scalar, or a group of fields. A type within itself ends there, as in the samples."""
    kind = member.type
    if isinstance(kind, StructType):
        inner = "" if kind in within else _members(kind, path, prefill, within)
    elif isinstance(kind, ArrayType):
        inner = _member(kind.item, f"{path}/{kind.item.name}", prefill, within) * 2
    else:
        return _field(member, kind, path, prefill.values.get(path, ""))
    if not inner:
        return ""
    note = " <small>not read</small>" if member.ignored else ""
    return f'<fieldset name="{escape(path)}">\n<legend>{escape(member.name)}{note}</legend>\n{inner}</fieldset>\n'


def _field(member: Member, kind: ScalarType | EnumType, path: str, value: str) -> str:
    shown, name = escape(value), f'name="{escape(path)}"'
    if isinstance(kind, EnumType) or kind.name == "boolean":
        choices = _BOOLEANS if isinstance(kind, ScalarType) else [str(choice.value) for choice in kind.cls]
        options = "".join(
            f"<option{' selected' if choice == value else ''}>{escape(choice)}</option>" for choice in choices
        )
        control = f'<select {name}><option value=""></option>{options}</select>'
    elif member.spool is not None and not member.spool.base64:
        control = f'<textarea {name} rows="6" spellcheck="false">{shown}</textarea>'
    elif kind.name == "anyType":
        control = f'<input {name} value="{shown}" data-type="xsd:string" spellcheck="false">'
    elif "password" in member.name.lower():
        # Hidden on the screen, and not stored by browsers.
        control = f'<input {name} value="{shown}" type="password" autocomplete="new-password">'
    else:
        control = f'<input {name} value="{shown}" spellcheck="false">'
    return f"<label><span>{escape(member.name)} <small>{escape(kind.name)}</small></span>{control}</label>\n"
