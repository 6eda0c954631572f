"""The help pages: the list of operations, and one page per operation (asmx-2, asmx-29)."""

import base64
import hashlib
from html import escape
from importlib.resources import files

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import SOAP_11, SOAP_12, SoapVersion
from soapstone.wire.form import SCRIPT, Prefill, request_form
from soapstone.wire.samples import sample_request, sample_response

_STYLE = files("soapstone.wire").joinpath("pages.css").read_text("utf-8")


def _hash(text: str) -> str:
    """Return a source expression of a content security policy that allows exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = f"default-src 'none'; style-src {_hash(_STYLE)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The content security policy of a page."""
FORM_POLICY = f"{POLICY}; script-src {_hash(SCRIPT)}; connect-src 'self'"
"""The policy of a page with a test form: its one script may run, and may call this server."""


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def index_page(contract: Contract) -> str:
    """Return the page with the operations, their descriptions, and a link to the service description."""
    rows = "".join(
        f'<dt><a href="?op={escape(operation.name)}">{escape(operation.name)}</a></dt>\n'
        f"<dd>{escape(operation.description)}</dd>\n"
        for operation in sorted(contract.operations, key=lambda operation: (operation.name.lower(), operation.name))
    )
    return _page(
        contract.name,
        f"<h1>{escape(contract.name)}</h1>\n"
        '<p>These operations are offered. The formal definition is the <a href="?WSDL">service description</a>.</p>\n'
        f"<dl>\n{rows}</dl>\n",
    )


def operation_page(contract: Contract, operation: Operation, host: str, prefill: Prefill | None) -> str:
    """Return the page of one operation: description, test form (a note without prefill), four samples."""
    test = (
        "<p>A form to try this operation is offered only to requests that come from the local machine.</p>\n"
        if prefill is None
        else request_form(contract, operation, prefill)
    )
    return _page(
        f"{operation.name} - {contract.name}",
        f"<h1>{escape(contract.name)}</h1>\n"
        f'<p><a href="{escape(contract.path)}">All operations of this service</a></p>\n'
        f"<h2>{escape(operation.name)}</h2>\n<p>{escape(operation.description)}</p>\n"
        f"<h3>Test</h3>\n{test}"
        + "".join(_samples(contract, operation, version, host) for version in (SOAP_11, SOAP_12)),
    )


def _samples(contract: Contract, operation: Operation, version: SoapVersion, host: str) -> str:
    request = f"<pre>{escape(sample_request(contract, operation, version, host), quote=False)}</pre>\n"
    response = f"<pre>{escape(sample_response(contract, operation, version), quote=False)}</pre>\n"
    title = f"SOAP {version.name}"
    note = f"<p>How a call looks in {title}. Put real values in place of the type names.</p>\n"
    if contract.soap_heading == "shared":
        return f"<h3>{title}</h3>\n{note}{request}{response}"
    return f"<h3>{title} Request</h3>\n{note}{request}<h3>{title} Response</h3>\n{response}"


def unrecognized_page(method: str) -> str:
    """Return the answer to a call by HTTP GET or POST binding, which no contract of ours has (asmx-4)."""
    message = f"Request format is unrecognized for URL unexpectedly ending in '/{method}'."
    return _page(message, f"<h1>{escape(message, quote=False)}</h1>\n")


def error_page(message: str) -> str:
    """Return a short page for a request that is refused unread."""
    return _page(message, f"<h1>{escape(message)}</h1>\n")
