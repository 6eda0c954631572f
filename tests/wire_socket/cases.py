"""The numbered facts of the original runtime as raw requests and what must come back (asmx-1 to asmx-23).

Each case is one HTTP request to a demo server, byte for byte, and its answer: status, headers that matter, body.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

MM, LK = "http://www.magnetmail.net/", "http://webservices.listrak.com/v31/"
MM_PATH, LK_PATH = "/mmapi.asmx", "/v31/IntegrationService.asmx"
SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
MEDIA = {"1.1": "text/xml", "1.2": "application/soap+xml"}
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CODES = {"Client": "Sender", "Server": "Receiver"}
READ = "Server was unable to read request. ---> "
PROCESS = "Server was unable to process request. ---> "
PASSED = {"cache-control": "private, max-age=0"}


@dataclass(frozen=True)
class Case:
    """`body` is the whole answer; where that is None, `holds` are its parts. Names of headers are in lower case."""

    name: str
    request: bytes
    status: str
    headers: dict[str, str | None] = field(default_factory=dict)
    body: str | None = None
    holds: tuple[str, ...] = ()


def http(
    target: str,
    body: str | bytes = b"",
    *,
    method: str = "POST",
    content_type: str | None = "text/xml; charset=utf-8",
    action: str | None = None,
    extra: tuple[str, ...] = (),
    host: str = "soap.example:8080",
) -> bytes:
    """A request as bytes. `action` is the whole SOAPAction header."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *extra]
    if content_type is not None and method == "POST":
        lines.append(f"Content-Type: {content_type}")
    if action is not None:
        lines.append(f"SOAPAction: {action}")
    if method == "POST" and not any(line.startswith("Transfer-Encoding") for line in extra):
        lines.append(f"Content-Length: {len(data)}")
    return "\r\n".join([*lines, "", ""]).encode() + data


def envelope(body: str, version: str = "1.1", header: str = "", *, declaration: bool = True) -> str:
    start = '<?xml version="1.0" encoding="utf-8"?>' if declaration else ""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'{start}<s:Envelope xmlns:s="{SOAP[version]}" xmlns:xsi="{XSI}">{head}<s:Body>{body}</s:Body></s:Envelope>'


def user(password: str = "demo") -> str:
    return f'<WSUser xmlns="{LK}"><UserName>demo</UserName><Password>{password}</Password></WSUser>'


def answer(content: str, version: str = "1.1") -> str:
    """A whole answer document (asmx-14)."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP[version]}" xmlns:xsi="{XSI}" '
        f'xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>{content}</soap:Body></soap:Envelope>'
    )


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fault(code: str, text: str, version: str = "1.1", *, detail: bool = True) -> str:
    """A whole fault document; `code` is the one of SOAP 1.1 (asmx-19)."""
    if version == "1.1":
        end = "<detail />" if detail else ""
        inner = f"<faultcode>soap:{code}</faultcode><faultstring>{escaped(text)}</faultstring>{end}"
    else:
        end = "<soap:Detail />" if detail else ""
        inner = (
            f"<soap:Code><soap:Value>soap:{CODES.get(code, code)}</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="en">{escaped(text)}</soap:Text></soap:Reason>{end}'
        )
    return answer(f"<soap:Fault>{inner}</soap:Fault>", version)


def typed(version: str) -> dict[str, str | None]:
    return {**PASSED, "content-type": f"{MEDIA[version]}; charset=utf-8"}


def refused(name: str, request: bytes, code: str, text: str, version: str = "1.1", *, detail: bool = True) -> Case:
    """Every fault with a body is HTTP 500 (asmx-20)."""
    body = fault(code, text, version, detail=detail)
    return Case(name, request, "500 Internal Server Error", typed(version), body)


def empty(name: str, request: bytes, status: str) -> Case:
    return Case(name, request, status, {"content-type": "text/xml; charset=utf-8", "content-length": "0"}, "")


# --- two calls whose answers are known to the byte -----------------------------------------------------------------


def details(number: str | None = "0", version: str = "1.1", wrapper: str = "getErrorDetails") -> str:
    """A call without session: what an error number means. Number 0 is no error, 4711 is unknown."""
    inner = "" if number is None else f"<error_nbr>{number}</error_nbr>"
    return envelope(f'<{wrapper} xmlns="{MM}">{inner}</{wrapper}>', version)


def no_error(version: str = "1.1") -> str:
    """The whole answer of `details` for number 0."""
    return answer(
        f'<getErrorDetailsResponse xmlns="{MM}"><getErrorDetailsResult><errorCode /><errorDetails /><errorMessage />'
        "<errorNumber>0</errorNumber><errorType /></getErrorDetailsResult></getErrorDetailsResponse>",
        version,
    )


ACTION = f'"{MM}getErrorDetails"'


def works(name: str, request: bytes, version: str = "1.1", number: int = 0) -> Case:
    """`number` tells which value the method was called with."""
    if number == 0:
        return Case(name, request, "200 OK", typed(version), no_error(version))
    return Case(name, request, "200 OK", typed(version), None, (f"<errorNumber>{number}</errorNumber>", "<soap:Body>"))


def listrak(operation: str, inner: str, version: str = "1.1", password: str = "demo") -> bytes:
    """A call of the other contract, with its header."""
    body = envelope(f'<{operation} xmlns="{LK}">{inner}</{operation}>', version, user(password))
    if version == "1.1":
        return http(LK_PATH, body, action=f'"{LK}{operation}"')
    return http(LK_PATH, body, content_type=f'application/soap+xml; charset=utf-8; action="{LK}{operation}"')


def verbs() -> Iterator[Case]:
    yield works("asmx-1 POST is SOAP 1.1", http(MM_PATH, details(), action=ACTION))
    yield works("asmx-1 POST is SOAP 1.2", http(MM_PATH, details(version="1.2"), content_type=MEDIA["1.2"]), "1.2")
    html: dict[str, str | None] = {"content-type": "text/html; charset=utf-8"}
    xml: dict[str, str | None] = {"content-type": "text/xml; charset=utf-8"}
    for path, service in ((MM_PATH, "MagnetMail Web Service"), (LK_PATH, "IntegrationService")):
        for query in ("", "?", "?x=1", "?wsdl=1", "?op=NoSuchThing"):
            yield Case(
                f"asmx-2 {path}{query}",
                http(path + query, method="GET"),
                "200 OK",
                html,
                None,
                (f"<h1>{service}</h1>",),
            )
        for query in ("?wsdl", "?WSDL", "?Wsdl"):
            start = '<?xml version="1.0" encoding="utf-8"?>'
            yield Case(
                f"asmx-2 {path}{query}",
                http(path + query, method="GET"),
                "200 OK",
                xml,
                None,
                (start, "<wsdl:definitions"),
            )
        yield Case(f"asmx-2 {path}?disco", http(path + "?disco", method="GET"), "200 OK", xml, None, ("<discovery",))
        for verb in ("HEAD", "PUT", "OPTIONS", "DELETE"):
            yield Case(f"asmx-3 {verb} {path}", http(path, method=verb), "405 Method Not Allowed")
        for verb in ("GET", "POST"):
            yield Case(
                f"asmx-4 {verb} {path}",
                http(f"{path}/Method", method=verb),
                "500 Internal Server Error",
                html,
                None,
                ("Request format is unrecognized for URL unexpectedly ending in '/Method'.",),
            )
        yield Case(
            f"asmx-5 address {path}",
            http(path + "?wsdl", method="GET", host="api.example.org:81"),
            "200 OK",
            xml,
            None,
            (f'location="http://api.example.org:81{path}"',),
        )
    yield Case(
        "asmx-2 one operation",
        http(f"{MM_PATH}?op=addGroup", method="GET"),
        "200 OK",
        html,
        None,
        ("addGroup", "SOAP 1.2"),
    )
    yield works("asmx-5 a query on POST", http(f"{MM_PATH}?op=addGroup", details(), action=ACTION))


def routing() -> Iterator[Case]:
    twelve = details("4711", "1.2")
    yield works(
        "asmx-6 the media type wins", http(MM_PATH, twelve, content_type=MEDIA["1.2"], action='"urn:x"'), "1.2", 4711
    )
    yield works("asmx-6 the envelope has the last word", http(MM_PATH, twelve, action=ACTION), "1.2", 4711)
    for action in (ACTION, ACTION.strip('"'), "http%3A%2F%2Fwww.magnetmail.net%2FgetErrorDetails"):
        yield works(f"asmx-7 {action}", http(MM_PATH, details("4711"), action=action), number=4711)
    for action, said in (
        ('""', ""),
        ("", ""),
        (ACTION[:-1], ACTION[:-1]),
        (ACTION.lower(), ACTION.lower().strip('"')),
        ('"urn:a%20b"', "urn:a b"),
    ):
        yield refused(
            f"row: unknown SOAPAction {action}",
            http(MM_PATH, details(), action=action),
            "Client",
            f"Server did not recognize the value of HTTP Header SOAPAction: {said}.",
        )
    yield works("asmx-8 by the body", http(MM_PATH, details("4711")), number=4711)
    for parameter in ("", '; action="urn:wrong"', f"; action={ACTION}", f"; action={MM}getErrorDetails"):
        request = http(MM_PATH, twelve, content_type=MEDIA["1.2"] + parameter)
        yield works(f"asmx-9 {parameter}", request, "1.2", 4711)
    for wrapper in (details("4711", wrapper="other"), details("4711").replace(MM, "urn:x"), envelope("")):
        yield works("asmx-10 a wrong wrapper", http(MM_PATH, wrapper, action=ACTION))
    for media in ("application/xml", "text/plain", "application/x-www-form-urlencoded", None):
        yield empty(
            f"asmx-11 {media}",
            http(MM_PATH, details(), content_type=media, action=ACTION),
            "415 Unsupported Media Type",
        )
    for media in ("TEXT/XML", "Text/Xml; Charset=UTF-8"):
        yield works(f"asmx-11 {media}", http(MM_PATH, details("4711"), content_type=media), number=4711)
    yield empty(
        "asmx-11 1.1 under the media type of 1.2",
        http(MM_PATH, details(), content_type=MEDIA["1.2"]),
        "415 Unsupported Media Type",
    )


def encodings() -> Iterator[Case]:
    """asmx-12: BOM, then charset, then XML declaration, then UTF-8. The name of an unknown account shows the text."""
    body = envelope(
        f'<Authenticate xmlns="{MM}"><username>Zoë €</username><password>x</password></Authenticate>', declaration=False
    )
    holds = ("<authenticated>false</authenticated>",)
    for name, media, data in (
        ("utf-8 by default", "text/xml", body.encode()),
        ("utf-8 with BOM", "text/xml; charset=iso-8859-1", body.encode("utf-8-sig")),
        ("utf-16 with BOM", "text/xml", body.encode("utf-16")),
        ("utf-16 with BOM and charset", "text/xml; charset=utf-16", body.encode("utf-16")),
        ("utf-16 without BOM", "text/xml; charset=utf-16", body.encode("utf-16-le")),
        ("utf-16be without BOM", "text/xml; charset=utf-16be", body.encode("utf-16-be")),
        ("windows-1252 by charset", "text/xml; charset=windows-1252", body.encode("windows-1252")),
        (
            "windows-1252 by declaration",
            "text/xml",
            f'<?xml version="1.0" encoding="windows-1252"?>{body}'.encode("windows-1252"),
        ),
        (
            "charset before declaration",
            "text/xml; charset=utf-8",
            f'<?xml version="1.0" encoding="ascii"?>{body}'.encode(),
        ),
        ("unknown charset", "text/xml; charset=nonsense", body.encode()),
    ):
        request = http(MM_PATH, data, content_type=media, action=f'"{MM}Authenticate"')
        yield Case(f"asmx-12 {name}", request, "200 OK", typed("1.1"), None, holds)
    for name, data in (
        ("bytes of another charset", body.encode("windows-1252")),
        ("utf-16 said, utf-8 sent", b"\xff\xfe" + body.encode()),
        ("DTD", b"<!DOCTYPE a>" + body.encode()),
        ("illegal character reference", body.replace("Zo", "&#0;").encode()),
        ("control character", body.replace("Zo", "\x01").encode()),
        ("NUL", body.replace("Zo", "\0").encode()),
    ):
        request = http(MM_PATH, data, action=f'"{MM}Authenticate"')
        yield empty(f"asmx-13 {name}", request, "400 Bad Request")
    yield works(
        "gzip", http(MM_PATH, gzip.compress(details("4711").encode()), extra=("Content-Encoding: gzip",)), number=4711
    )


def values() -> Iterator[Case]:
    free = (
        f'<p:getErrorDetails xmlns:p="{MM}" x="1"><other/><p:error_nbr xsi:type="x:int" a="b"> +4711 </p:error_nbr>'
        "<p:error_nbr>5</p:error_nbr></p:getErrorDetails><second/>"
    )
    yield works("asmx-15 free order, unknown elements, repeated", http(MM_PATH, envelope(free)), number=4711)
    yield works("asmx-15 missing", http(MM_PATH, details(None), action=ACTION))
    name = "Server was unable to read request. ---> There is an error in XML document (1, {at}). ---> "
    for version in ("1.1", "1.2"):
        cases = [
            ("MM", "getErrorDetails", "<error_nbr>", "x", "Input string was not in a correct format."),
            ("MM", "getErrorDetails", "<error_nbr>", "", "Input string was not in a correct format."),
            (
                "MM",
                "getErrorDetails",
                "<error_nbr>",
                "2147483648",
                "Value was either too large or too small for an Int32.",
            ),
            (
                "LK",
                "CreateContactList",
                "<EnableRemovalLink>",
                "TRUE",
                "The string 'TRUE' is not a valid Boolean value.",
            ),
            (
                "LK",
                "ReportListImportHistory",
                "<StartDate>",
                "soon",
                "The string 'soon' is not a valid AllXsd value.",
            ),
            (
                "LK",
                "BulkLoadContacts",
                "<WSImportDirectives><ImportTypeEnum>",
                "addsubscribers",
                "Instance validation error: 'addsubscribers' is not a valid value for ImportTypeEnum.",
            ),
        ]
        for contract, operation, path, value, said in cases:
            namespace, target = (MM, MM_PATH) if contract == "MM" else (LK, LK_PATH)
            close = "".join(f"</{tag}>" for tag in reversed(path.strip("<>").split("><")))
            body = envelope(
                f'<{operation} xmlns="{namespace}">{path}{value}{close}</{operation}>',
                version,
                "" if contract == "MM" else user(),
            )
            at = body.index(path) + len(path) + 1
            request = http(target, body)
            yield refused(
                f"row: {operation} {value or 'empty'} {version}", request, "Client", name.format(at=at) + said, version
            )
    nil = envelope(f'<getErrorDetails xmlns="{MM}"><error_nbr xsi:nil="true"/></getErrorDetails>')
    yield Case(
        "asmx-16 nil int",
        http(MM_PATH, nil),
        "500 Internal Server Error",
        typed("1.1"),
        None,
        ("Input string was not in a correct format.",),
    )
    nil = '<ListID>1</ListID><Page>0</Page><StartDate xsi:nil="true"/><EndDate xsi:nil="1"/>'
    yield Case(
        "asmx-16 nil date",
        listrak("ReportListImportHistory", nil),
        "200 OK",
        typed("1.1"),
        None,
        ('<WSException xsi:nil="true" /></ReportListImportHistoryResponse>',),
    )
    for text, status in (("1", "200 OK"), (" true ", "200 OK"), ("True", "500 Internal Server Error")):
        inner = f"<ListName>asmx-17 {text}</ListName><EnableRemovalLink>{text}</EnableRemovalLink>"
        yield Case(f"asmx-17 bool {text!r}", listrak("CreateContactList", inner), status, typed("1.1"))
    for text in ("2020-01-02", "2020-01-02T03:04:05Z", "2020-01-02T03:04:05.123+02:00", "03:04:05"):
        inner = f"<ListID>1</ListID><Page>1</Page><StartDate>{text}</StartDate><EndDate>2020-02-01</EndDate>"
        yield Case(f"asmx-17 dateTime {text}", listrak("ReportListImportHistory", inner), "200 OK", typed("1.1"))
    yield Case(
        "asmx-18 values as written",
        listrak("GetProcessStatus", "<ProcessID>987654</ProcessID>"),
        "200 OK",
        typed("1.1"),
        answer(f'<GetProcessStatusResponse xmlns="{LK}"><WSProcessStatus xsi:nil="true" /></GetProcessStatusResponse>'),
    )


def faults() -> Iterator[Case]:
    nothing = "Unable to handle request without a valid action parameter. Please supply a valid soap action."
    yield refused("row: no action, unknown element 1.1", http(MM_PATH, envelope("<Foo/>")), "Client", nothing)
    for version in ("1.1", "1.2"):
        soap = SOAP[version]
        yield refused(
            f"row: no action, empty body {version}",
            http(MM_PATH, envelope("", version), content_type=MEDIA[version]),
            "Client",
            nothing,
            version,
        )
        for inner, missing in (
            (f'<s:Body xmlns:s="{soap}"/>', "Envelope"),
            (f'<s:Envelope xmlns:s="{soap}"/>', "Body"),
        ):
            text = f"{READ}Request format is invalid: Missing required soap:{missing} element."
            yield refused(f"row: no {missing} {version}", http(MM_PATH, inner), "Client", text, version)
        must = '<w:Security xmlns:w="urn:w" s:mustUnderstand="1"/>'
        body = envelope(f'<getErrorDetails xmlns="{MM}"/>', version, must)
        text = "SOAP header Security was not understood."
        yield refused(
            f"row: mustUnderstand {version}", http(MM_PATH, body), "MustUnderstand", text, version, detail=False
        )
        denied = listrak("GetProcessStatus", "", version, password="wrong")
        text = f"{PROCESS}[InvalidLogonAttempt] The user name or password is not valid."
        yield refused(f"row: exception in a method {version}", denied, "Server", text, version)
    action = 'application/soap+xml; action="urn:Foo"'
    text = "Unable to handle request. The action 'urn:Foo' was not recognized."
    foreign = envelope("<Foo/>", "1.2")
    yield refused(
        "row: 1.2, action and element unknown", http(MM_PATH, foreign, content_type=action), "Client", text, "1.2"
    )
    ignored = '<a:Action xmlns:a="urn:a">x</a:Action><b:To xmlns:b="urn:b" s:mustUnderstand="0"/>'
    known = envelope(f'<getErrorDetails xmlns="{MM}"/>', header=ignored)
    yield works("row: other headers are ignored", http(MM_PATH, known))
    upgrade = (
        f'<soap:Header><soap12:Upgrade xmlns:soap12="{SOAP["1.2"]}"><soap12:SupportedEnvelope qname="soap:Envelope" '
        f'xmlns:soap="{SOAP["1.1"]}" /><soap12:SupportedEnvelope qname="soap12:Envelope" '
        f'xmlns:soap12="{SOAP["1.2"]}" /></soap12:Upgrade></soap:Header>'
    )
    for root, namespace in (('<Envelope xmlns="urn:other"/>', "urn:other"), ("<html></html>", "")):
        text = (
            f"Possible SOAP version mismatch: Envelope namespace {namespace} was unexpected. Expecting {SOAP['1.1']}."
        )
        case = refused(f"row: root {root}", http(MM_PATH, root, action=ACTION), "VersionMismatch", text)
        yield replace(case, body=str(case.body).replace("<soap:Body>", f"{upgrade}<soap:Body>"))
    for body in ("", "no xml", "<a", details()[:-5], details().replace("</getErrorDetails>", "</x>")):
        yield empty(f"row: malformed {body[-9:]!r}", http(MM_PATH, body, action=ACTION), "400 Bad Request")
    text = f"{PROCESS}no element found: line 1, column 0"
    yield refused("row: empty, no action", http(MM_PATH, ""), "Server", text, "1.2")
    text = f"{PROCESS}mismatched tag: line 1, column 76"
    body = f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Header></s:Body>'
    yield refused("row: malformed, no action", http(MM_PATH, body), "Server", text)
    lines = details("x").replace("<error_nbr>", "\r\n\r\n <error_nbr>")
    text = f"{READ}There is an error in XML document (3, 13). ---> Input string was not in a correct format."
    yield refused("asmx-22 position in the raw request", http(MM_PATH, lines), "Client", text)
    text = f"{READ}Maximum request length exceeded."
    too_long = http(MM_PATH, details(), action=ACTION, extra=("Expect: 100-continue",))
    too_long = too_long.replace(b"\r\nContent-Length: ", b"\r\nContent-Length: 9999999")
    yield refused("asmx-23 over the limit", too_long, "Client", text)


CASES = [*verbs(), *routing(), *encodings(), *values(), *faults()]
