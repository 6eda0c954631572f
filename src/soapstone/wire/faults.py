"""SOAP faults: the cases of the runtime's fault table, and their form in SOAP 1.1 and 1.2 (asmx-19 to asmx-21)."""

from soapstone.wire.envelope import SOAP_11, SOAP_12, SoapVersion, envelope
from soapstone.wire.values import escape

_CODES_12 = {"Client": "Sender", "Server": "Receiver"}


class MalformedXml(Exception):
    """The body is not well-formed XML, or uses what is refused here (asmx-13)."""


class Fault(Exception):
    """An exception in a method: `Server was unable to process request. ---> {message}`, HTTP 500.

    What the product raises to refuse a call. The message goes to the client; details belong to the log.
    """

    code = "Server"
    """The SOAP 1.1 name; 1.2 calls Client Sender and Server Receiver."""
    has_detail = True
    header = ""
    """What the Header of the answer holds, as XML."""
    retry_seconds = 0
    """When the client may try again, for the answer's Retry-After; 0 leaves that out."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def text(self) -> str:
        """The whole fault text."""
        return f"Server was unable to process request. ---> {self.message}"


class BusyFault(Fault):
    """The server cannot serve the call at the moment; it may be tried again after `retry_seconds`."""

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class ClientFault(Fault):
    """The request cannot be served as it stands; the message is the whole text."""

    code = "Client"

    @property
    def text(self) -> str:
        return self.message


class ReadFault(ClientFault):
    """The request cannot be read: `Server was unable to read request. ---> {message}`."""

    @property
    def text(self) -> str:
        return f"Server was unable to read request. ---> {self.message}"


class ValueFault(ReadFault):
    """A member's text is not a value of its type. Line and column are those of the text, counted from 1 (asmx-22)."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"There is an error in XML document ({line}, {column}). ---> {message}")


class MustUnderstandFault(ClientFault):
    """A header that must be understood is not one of the contract's."""

    code = "MustUnderstand"
    has_detail = False

    def __init__(self, header: str) -> None:
        super().__init__(f"SOAP header {header} was not understood.")


class VersionMismatchFault(ClientFault):
    """The root element is not of a SOAP namespace. Written in SOAP 1.1 always; the Header tells what is understood."""

    code = "VersionMismatch"
    header = (
        f'<soap12:Upgrade xmlns:soap12="{SOAP_12.namespace}">'
        f'<soap12:SupportedEnvelope qname="soap:Envelope" xmlns:soap="{SOAP_11.namespace}" />'
        f'<soap12:SupportedEnvelope qname="soap12:Envelope" xmlns:soap12="{SOAP_12.namespace}" />'
        "</soap12:Upgrade>"
    )

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"Possible SOAP version mismatch: Envelope namespace {namespace} was unexpected. "
            f"Expecting {SOAP_11.namespace}."
        )


def unknown_action(action: str) -> ClientFault:
    """Return the fault for SOAP 1.1 with a SOAPAction that no operation has."""
    return ClientFault(f"Server did not recognize the value of HTTP Header SOAPAction: {action}.")


def unroutable(action: str | None) -> ClientFault:
    """Return the fault for a call in which neither action nor body element names an operation."""
    if action:
        return ClientFault(f"Unable to handle request. The action '{action}' was not recognized.")
    return ClientFault("Unable to handle request without a valid action parameter. Please supply a valid soap action.")


def render(fault: Fault, version: SoapVersion) -> bytes:
    """Return the answer body of a fault."""
    text = escape(fault.text)
    if version is SOAP_11:
        detail = "<detail />" if fault.has_detail else ""
        inner = f"<faultcode>soap:{fault.code}</faultcode><faultstring>{text}</faultstring>{detail}"
    else:
        detail = "<soap:Detail />" if fault.has_detail else ""
        inner = (
            f"<soap:Code><soap:Value>soap:{_CODES_12.get(fault.code, fault.code)}</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="en">{text}</soap:Text></soap:Reason>{detail}'
        )
    return envelope(version, f"<soap:Fault>{inner}</soap:Fault>", fault.header)
