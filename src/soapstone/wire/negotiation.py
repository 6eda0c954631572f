"""The HTTP headers of a call: media type, charset, action, and the assumed version (asmx-6 to asmx-12)."""

import codecs
import re
from dataclasses import dataclass
from urllib.parse import unquote

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import SOAP_11, SOAP_12, SoapVersion
from soapstone.wire.faults import ClientFault, unknown_action

# Characters that the runtime strips from both ends of a media type's parameter, paired or not.
_AROUND = " \t\"'"
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


@dataclass(frozen=True)
class Negotiation:
    """`assumed` is the version until the envelope shows its own. `action` is as sent, unquoted and decoded.

    `operation` is set if the action names one; otherwise `fault` is the answer to a SOAP 1.1 call.
    """

    assumed: SoapVersion
    only_12: bool
    charset: str | None
    action: str | None
    operation: Operation | None
    fault: ClientFault | None


def negotiate(contract: Contract, content_type: str, soap_action: str | None) -> Negotiation | None:
    """Read the headers; None for a media type that is not SOAP (asmx-11)."""
    media, _, rest = content_type.partition(";")
    media = media.strip().lower()
    if media not in (SOAP_11.media_type, SOAP_12.media_type):
        return None
    parameters = {
        match[1].lower(): match[2].strip(_AROUND) for match in _PARAMETER.finditer(";" + rest if rest else "")
    }
    charset = _charset(parameters.get("charset"))
    only_12 = media == SOAP_12.media_type
    if soap_action is None or only_12:
        action = parameters.get("action")
        action = unquote(action) if action is not None else None
        operation = contract.operations_by_action.get(action) if action else None
        return Negotiation(SOAP_12, only_12, charset, action, operation, None)
    action = unquote(_unquote(soap_action.strip()))
    operation = contract.operations_by_action.get(action)
    fault = None if operation else unknown_action(action)
    return Negotiation(SOAP_11, only_12, charset, action, operation, fault)


def _unquote(text: str) -> str:
    """Remove quotes only if both are there (asmx-7)."""
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text


# Text encodings of Python that are no charsets of documents; decoding punycode takes quadratic time in
# the length.
_NO_CHARSETS = frozenset(
    {"ascii", "idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)


def _charset(name: str | None) -> str | None:
    """Return Python's name of a charset; None for unknown ones, and for US-ASCII, a part of UTF-8."""
    if not name:
        return None
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return found.name if found._is_text_encoding and found.name not in _NO_CHARSETS else None
