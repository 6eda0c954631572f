"""The two SOAP versions and the frame of every answer (asmx-14)."""

from dataclasses import dataclass

XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


@dataclass(frozen=True, eq=False)
class SoapVersion:
    """One SOAP version."""

    name: str
    namespace: str
    media_type: str

    @property
    def head(self) -> str:
        """The answer up to and including the Body tag."""
        return (
            f'{DECLARATION}<soap:Envelope xmlns:soap="{self.namespace}" xmlns:xsi="{XSI}" xmlns:xsd="{XSD}"><soap:Body>'
        )


SOAP_11 = SoapVersion("1.1", "http://schemas.xmlsoap.org/soap/envelope/", "text/xml")
SOAP_12 = SoapVersion("1.2", "http://www.w3.org/2003/05/soap-envelope", "application/soap+xml")
VERSIONS = {version.namespace: version for version in (SOAP_11, SOAP_12)}

_HEADS = {version: version.head for version in (SOAP_11, SOAP_12)}


def envelope(version: SoapVersion, body: str, header: str = "") -> bytes:
    """Return the whole answer around the content of its Body, and of its Header if any: UTF-8, no BOM, one line."""
    head = _HEADS[version]
    if header:
        head = f"{head.removesuffix('<soap:Body>')}<soap:Header>{header}</soap:Header><soap:Body>"
    return f"{head}{body}</soap:Body></soap:Envelope>".encode()
