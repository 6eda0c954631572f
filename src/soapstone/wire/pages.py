"""The help pages: the list of operations, and one page per operation (asmx-2, asmx-29)."""

from html import escape

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import SOAP_11, SOAP_12, SoapVersion
from soapstone.wire.samples import sample_request, sample_response

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 1.5rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
a { color: #0b62a8; }
dt { margin-top: .75rem; overflow-wrap: anywhere; }
dd { margin: 0 0 0 1rem; opacity: .85; }
pre { background: #8881; border: 1px solid #8884; border-radius: 6px; padding: .75rem; overflow-x: auto;
  font: 13px/1.45 ui-monospace, monospace; }
@media (prefers-color-scheme: dark) { a { color: #7fbdf0; } }
"""


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def index_page(contract: Contract) -> str:
    """The operations with their descriptions, and the way to the service description."""
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


def operation_page(contract: Contract, operation: Operation, host: str) -> str:
    """Description, test note and the four sample blocks of one operation."""
    return _page(
        f"{operation.name} - {contract.name}",
        f"<h1>{escape(contract.name)}</h1>\n"
        f'<p><a href="{escape(contract.path)}">All operations of this service</a></p>\n'
        f"<h2>{escape(operation.name)}</h2>\n<p>{escape(operation.description)}</p>\n"
        "<h3>Test</h3>\n<p>A form to try this operation is offered only to requests that come from the machine"
        " that runs the server.</p>\n"
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
    """The answer to a call by HTTP GET or POST binding, which no contract of ours has (asmx-4)."""
    message = f"Request format is unrecognized for URL unexpectedly ending in '/{method}'."
    return _page(message, f"<h1>{escape(message, quote=False)}</h1>\n")


def error_page(message: str) -> str:
    """A short page for a request that is refused before it is looked at."""
    return _page(message, f"<h1>{escape(message)}</h1>\n")
