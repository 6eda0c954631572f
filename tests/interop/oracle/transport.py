"""Request variants around values: verbs, paths, actions, media types, charsets, envelopes, headers, broken XML."""

from __future__ import annotations

from collections.abc import Iterator

from tests.interop.oracle.exchange import Request
from tests.interop.oracle.ground import Ground, envelope

from soapstone.wire.envelope import SOAP_11, SOAP_12, SoapVersion

_OTHER = {SOAP_11: SOAP_12, SOAP_12: SOAP_11}


def transport_variants(ground: Ground) -> Iterator[Request]:
    """Everything but values."""
    yield from _actions(ground)
    yield from _media(ground)
    yield from _charsets(ground)
    for version in (SOAP_11, SOAP_12):
        yield from _envelopes(ground, version)
        yield from _headers(ground, version)
        yield from _broken(ground, version)
    yield from _paths(ground)


def _payload(ground: Ground, value: str = "7") -> str:
    call = ground.call
    return call.around(f"<{ground.text.name}>é</{ground.text.name}><{call.member.name}>{value}</{call.member.name}>")


def _request(name: str, ground: Ground, body: str | bytes, *headers: tuple[str, str]) -> Request:
    data = body.encode() if isinstance(body, str) else body
    return Request(name, data, headers, target=ground.contract.path)


def _actions(ground: Ground) -> Iterator[Request]:
    contract, call = ground.contract, ground.call
    name, other = call.operation.name, next(op for op in contract.operations if op is not call.operation)
    good = contract.namespace + name
    values = {
        "quoted": f'"{good}"',
        "bare": good,
        "first quote only": f'"{good}',
        "last quote only": f'{good}"',
        "single quotes": f"'{good}'",
        "escaped": f'"{good.replace(":", "%3A").replace("/", "%2F")}"',
        "escaped lower": good.replace(":", "%3a"),
        "plus": f'"{good}+"',
        "spaces inside quotes": f'" {good} "',
        "spaces around": f'  "{good}"  ',
        "empty": "",
        "empty quotes": '""',
        "one quote": '"',
        "upper case": f'"{good.upper()}"',
        "name only": f'"{name}"',
        "hash": f'"{contract.namespace}#{name}"',
        "other": f'"{contract.namespace}{other.name}"',
        "unknown": f'"{contract.namespace}Nothing"',
        "markup": '"urn:<a>&b"',
        "query": f'"{good}?x=1"',
        "bad escape": f'"{good}%zz"',
        "twice quoted": f'""{good}""',
    }
    for version in (SOAP_11, SOAP_12):
        body = envelope(version, _payload(ground))
        unknown = envelope(version, _payload(ground).replace(name, "Nothing"))
        text = ("Content-Type", "text/xml; charset=utf-8")
        soap = "application/soap+xml; charset=utf-8"
        yield _request(f"{version.name} text/xml without action", ground, body, text)
        yield _request(f"{version.name} text/xml without action, unknown element", ground, unknown, text)
        yield _request(f"{version.name} text/xml without action, empty Body", ground, envelope(version, ""), text)
        for label, value in values.items():
            yield _request(f"{version.name} text/xml action {label}", ground, body, text, ("SOAPAction", value))
        for wrapper in ("Nothing", name.swapcase(), other.name):
            wrong = _payload(ground).replace(name, wrapper)
            for media, more in (("text/xml", [("SOAPAction", f'"{good}"')]), (f'{soap}; action="{good}"', [])):
                head = ("Content-Type", media if "charset" in media else text[1])
                yield _request(
                    f"{version.name} {media[:8]} wrapper {wrapper[:7]} differs",
                    ground,
                    envelope(version, wrong),
                    head,
                    *more,
                )
        foreign = _payload(ground).replace(f'xmlns="{contract.namespace}"', 'xmlns="urn:other"', 1)
        yield _request(
            f"{version.name} wrapper in another namespace",
            ground,
            envelope(version, foreign),
            text,
            ("SOAPAction", good),
        )
    body = envelope(SOAP_12, _payload(ground))
    unknown = envelope(SOAP_12, _payload(ground).replace(name, "Nothing"))
    soap = "application/soap+xml; charset=utf-8"
    yield _request("1.2 soap+xml without action", ground, body, ("Content-Type", soap))
    yield _request("1.2 soap+xml without action, unknown element", ground, unknown, ("Content-Type", soap))
    yield _request("1.2 soap+xml without action, empty Body", ground, envelope(SOAP_12, ""), ("Content-Type", soap))
    for label, value in values.items():
        if '"' in value.strip()[1:-1]:
            continue
        head = ("Content-Type", f"{soap}; action={value.strip()}")
        yield _request(f"1.2 soap+xml action {label}", ground, body, head)
        yield _request(f"1.2 soap+xml action {label}, unknown element", ground, unknown, head)
    quoted = f'{soap}; action="{good}"'
    yield _request("1.2 soap+xml with SOAPAction", ground, body, ("Content-Type", soap), ("SOAPAction", f'"{good}"'))
    yield _request("1.2 soap+xml with wrong SOAPAction", ground, body, ("Content-Type", quoted), ("SOAPAction", '"x"'))
    yield _request("1.2 soap+xml with empty SOAPAction", ground, body, ("Content-Type", soap), ("SOAPAction", '""'))


def _media(ground: Ground) -> Iterator[Request]:
    action = ("SOAPAction", f'"{ground.action(ground.call.operation)}"')
    medias = [
        "text/xml", "TEXT/XML; CHARSET=UTF-8", "text/xml;charset=utf-8", "text/xml ; charset = utf-8",
        'text/xml; charset="utf-8"', "text/xml; charset=utf-8; a=b", "text/xml;", "application/soap+xml; charset=utf-8",
        "Application/SOAP+XML; charset=utf-8", "application/xml; charset=utf-8", "text/plain", "text/html",
        "application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "text/xmlx",
        "text", "*/*", "application/soap+xml; type=x", "application/octet-stream",
    ]  # fmt: skip
    for version in (SOAP_11, SOAP_12):
        body = envelope(version, _payload(ground)).replace("é", "e")
        for media in medias:
            for label, more in (("with action", [action]), ("without action", [])):
                yield _request(f"{version.name} media {media!r} {label}", ground, body, ("Content-Type", media), *more)
        yield _request(f"{version.name} no media", ground, body, action)


def _charsets(ground: Ground) -> Iterator[Request]:
    action = ("SOAPAction", f'"{ground.action(ground.call.operation)}"')
    text = envelope(SOAP_11, _payload(ground))
    plain = text.partition("?>")[2]
    cases: dict[str, tuple[str, bytes]] = {
        "utf-8": ("; charset=utf-8", text.encode()),
        "utf-8 BOM": ("; charset=utf-8", text.encode("utf-8-sig")),
        "utf-8 BOM, no charset": ("", text.encode("utf-8-sig")),
        "no charset": ("", text.encode()),
        "no charset, ASCII": ("", text.replace("é", "e").encode()),
        "no charset, declared latin-1": ("", text.replace("utf-8", "iso-8859-1").encode("latin-1")),
        "no charset, declared utf-16": ("", text.replace("utf-8", "utf-16").encode()),
        "no declaration": ("; charset=utf-8", plain.encode()),
        "utf-16 LE BOM": ("; charset=utf-16", text.replace("utf-8", "utf-16").encode("utf-16")),
        "utf-16 LE BOM, declared utf-8": ("; charset=utf-16", text.encode("utf-16")),
        "utf-16 LE without BOM": ("; charset=utf-16", plain.encode("utf-16-le")),
        "utf-16 BE BOM": ("; charset=utf-16", b"\xfe\xff" + plain.encode("utf-16-be")),
        "utf-16BE": ("; charset=utf-16BE", plain.encode("utf-16-be")),
        "utf-16 BOM, charset utf-8": ("; charset=utf-8", plain.encode("utf-16")),
        "latin-1": ("; charset=iso-8859-1", text.encode("latin-1")),
        "latin-1 declared": ("; charset=iso-8859-1", text.replace("utf-8", "iso-8859-1").encode("latin-1")),
        "latin-1 declared utf-8, charset utf-8": ("; charset=utf-8", text.encode("latin-1")),
        "windows-1252": ("; charset=windows-1252", text.replace("é", "€").encode("cp1252")),
        "us-ascii": ("; charset=us-ascii", text.replace("é", "e").encode()),
        "unknown charset": ("; charset=nonsense", text.encode()),
        "empty charset": ("; charset=", text.encode()),
        "declared otherwise": ("; charset=utf-8", text.replace("utf-8", "iso-8859-1").encode()),
        "declared nonsense": ("; charset=utf-8", text.replace("utf-8", "nonsense").encode()),
    }
    for label, (charset, body) in cases.items():
        yield _request(f"1.1 charset {label}", ground, body, ("Content-Type", f"text/xml{charset}"), action)
        again = body.replace(SOAP_11.namespace.encode(), SOAP_12.namespace.encode())
        for coding in ("utf-16-le", "utf-16-be"):
            again = again.replace(SOAP_11.namespace.encode(coding), SOAP_12.namespace.encode(coding))
        yield _request(f"1.2 charset {label}", ground, again, ("Content-Type", f"application/soap+xml{charset}"))


def _envelopes(ground: Ground, version: SoapVersion) -> Iterator[Request]:
    call = ground.call
    head = ground.head(version, call.operation)
    payload, soap = _payload(ground), version.namespace
    name, member, text = call.operation.name, call.member.name, ground.text.name
    whole = envelope(version, payload)
    prefixed = (
        f'<q:{name} xmlns:q="{ground.contract.namespace}"><q:{member}>7</q:{member}><q:{text}>a</q:{text}></q:{name}>'
    )
    bodies = {
        "plain": whole,
        "SOAP-ENV prefix": whole.replace("soap:", "SOAP-ENV:").replace(":soap=", ":SOAP-ENV="),
        "default namespace": whole.replace("soap:", "").replace(":soap=", "="),
        "prefixed payload": envelope(version, prefixed),
        "wrapper prefixed, members in no namespace": envelope(
            version, f'<q:{name} xmlns:q="{ground.contract.namespace}"><{member}>7</{member}></q:{name}>'
        ),
        "members reversed": envelope(version, call.around(f"<{member}>7</{member}><{text}>a</{text}>")),
        "member omitted": envelope(version, call.around(f"<{member}>7</{member}>")),
        "no members": envelope(version, call.around("")),
        "wrapper nil": envelope(version, call.around("").replace(">", ' xsi:nil="true">', 1)),
        "wrapper with attributes": envelope(version, payload.replace(">", ' a="1" soap:encodingStyle="">', 1)),
        "unknown member": envelope(version, call.around(f"<x>1</x><{member}>7</{member}><y><{text}>b</{text}></y>")),
        "indented": whole.replace("><", ">\n  <"),
        "indented CRLF": whole.replace("><", ">\r\n  <"),
        "comments": whole.replace("><", "><!-- c --><"),
        "instructions": whole.replace("><", "><?p i?><"),
        "empty Header": envelope(version, payload).replace("<soap:Body>", "<soap:Header /><soap:Body>"),
        "Header after Body": whole.replace(
            "</soap:Envelope>", f"<soap:Header>{ground.header}</soap:Header></soap:Envelope>"
        ),
        "two Headers": whole.replace(
            "<soap:Body>", f"<soap:Header /><soap:Header>{ground.header}</soap:Header><soap:Body>"
        ),
        "element before Body": whole.replace("<soap:Body>", '<x xmlns="urn:x" /><soap:Body>'),
        "element after Body": whole.replace("</soap:Envelope>", '<x xmlns="urn:x" /></soap:Envelope>'),
        "text in Envelope": whole.replace("<soap:Body>", "text<soap:Body>"),
        "text in Body": whole.replace("<soap:Body>", "<soap:Body>text"),
        "two payloads": envelope(version, payload + _payload(ground, "8")),
        "unknown payload first": envelope(version, '<x xmlns="urn:x" />' + payload),
        "two Bodies": whole.replace("</soap:Envelope>", "<soap:Body /></soap:Envelope>"),
        "empty Body": envelope(version, ""),
        "self-closed Body": envelope(version, "").replace("<soap:Body></soap:Body>", "<soap:Body />"),
        "no Body": envelope(version, "").replace("<soap:Body></soap:Body>", ""),
        "only Header": envelope(version, "", ground.header).replace("<soap:Body></soap:Body>", ""),
        "body element instead": whole.replace("soap:Body>", "soap:Corpus>"),
        "Body of the other version": whole.replace(
            "<soap:Body>", f'<b:Body xmlns:b="{_OTHER[version].namespace}">'
        ).replace("</soap:Body>", "</b:Body>"),
        "other version": envelope(_OTHER[version], payload),
        "wrong namespace": whole.replace(soap, "urn:other"),
        "no namespace": whole.replace("soap:", "").replace(f' xmlns:soap="{soap}"', ""),
        "root of another name": whole.replace("soap:Envelope", "soap:Letter"),
        "payload alone": '<?xml version="1.0" encoding="utf-8"?>' + payload,
        "fault as payload": envelope(version, "<soap:Fault><faultcode>x</faultcode></soap:Fault>"),
        "encodingStyle": whole.replace(
            "<soap:Body>", '<soap:Body soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
        ),
        "ids and hrefs": envelope(
            version,
            call.around(f'<{member} href="#i1" />') + '<multiRef id="i1" xmlns="">7</multiRef>',
        ),
        "white space around": "\n" + whole.partition("?>")[2] + "\n\n",
        "xml 1.1": whole.replace('version="1.0"', 'version="1.1"'),
        "standalone": whole.replace("?>", ' standalone="yes"?>', 1),
    }
    bare: tuple[tuple[str, str], ...] = (("Content-Type", f"{version.media_type}; charset=utf-8"),)
    for label, body in bodies.items():
        yield _request(f"{version.name} envelope {label}", ground, body, *head)
        yield _request(f"{version.name} envelope {label}, no action", ground, body, *bare)


def _headers(ground: Ground, version: SoapVersion) -> Iterator[Request]:
    call = ground.call
    head = ground.head(version, call.operation)
    kind = ground.contract.header_type
    assert kind is not None
    block, name, space = ground.header, kind.name, ground.contract.namespace
    first = kind.all_members[0].name
    actor = {"1.1": "actor", "1.2": "role"}[version.name]
    other = '<o:Other xmlns:o="urn:o"{}>x</o:Other>'
    next_role = {
        "1.1": "http://schemas.xmlsoap.org/soap/actor/next",
        "1.2": "http://www.w3.org/2003/05/soap-envelope/role/next",
    }[version.name]
    blocks = {
        "ours": block,
        "ours, must understand": block.replace(">", ' soap:mustUnderstand="1">', 1),
        "ours, must understand true": block.replace(">", ' soap:mustUnderstand="true">', 1),
        "ours, must understand 0": block.replace(">", ' soap:mustUnderstand="0">', 1),
        "ours, unknown attributes": block.replace(">", ' a="1" xml:lang="en">', 1),
        "ours, empty": f'<{name} xmlns="{ground.contract.namespace}" />',
        "ours, nil": f'<{name} xmlns="{ground.contract.namespace}" xsi:nil="true" />',
        "ours, one member": f'<{name} xmlns="{ground.contract.namespace}"><{first}>x</{first}></{name}>',
        "ours, unknown member": block.replace(">", "><x>1</x>", 1),
        "ours, in another namespace": block.replace(ground.contract.namespace, "urn:other"),
        "ours, in no namespace": block.replace(ground.contract.namespace, ""),
        "ours, prefixed": f'<h:{name} xmlns:h="{ground.contract.namespace}"><h:{first}>x</h:{first}></h:{name}>',
        "ours, members in no namespace": f'<h:{name} xmlns:h="{space}"><{first}>x</{first}></h:{name}>',
        "ours twice": block + block.replace(f">{first}<", ">second<"),
        "ours after another": other.format("") + block,
        "ours before another": block + other.format(""),
        "unknown": other.format(""),
        "unknown, must understand": other.format(' soap:mustUnderstand="1"'),
        "unknown, must understand true": other.format(' soap:mustUnderstand="true"'),
        "unknown, must understand 0": other.format(' soap:mustUnderstand="0"'),
        "unknown, must understand false": other.format(' soap:mustUnderstand="false"'),
        "unknown, must understand empty": other.format(' soap:mustUnderstand=""'),
        "unknown, must understand without namespace": other.format(' mustUnderstand="1"'),
        "unknown, must understand, for the next": other.format(f' soap:mustUnderstand="1" soap:{actor}="{next_role}"'),
        "unknown, must understand, for another": other.format(f' soap:mustUnderstand="1" soap:{actor}="urn:another"'),
        "unknown, must understand, for nobody named": other.format(f' soap:mustUnderstand="1" soap:{actor}=""'),
        "unknown twice, must understand": other.format(' soap:mustUnderstand="1"') * 2,
        "ours, then unknown, must understand": block + other.format(' soap:mustUnderstand="1"'),
        "addressing": '<a:Action xmlns:a="http://www.w3.org/2005/08/addressing" soap:mustUnderstand="1">x</a:Action>',
        "text": "text",
        "comment": "<!-- c -->",
    }
    for label, blocks_text in blocks.items():
        body = envelope(version, _payload(ground), blocks_text)
        yield _request(f"{version.name} header {label}", ground, body, *head)
    without = next((operation for operation in ground.contract.operations if not operation.header), None)
    if without is not None:
        payload = f'<{without.name} xmlns="{ground.contract.namespace}" />'
        for label in ("ours", "ours, must understand", "unknown", "unknown, must understand"):
            request = _request(
                f"{version.name} header {label}, of an operation without",
                ground,
                envelope(version, payload, blocks[label]),
                *ground.head(version, without),
            )
            yield request


def _broken(ground: Ground, version: SoapVersion) -> Iterator[Request]:
    whole = envelope(version, _payload(ground))
    text = ground.text.name
    dtd = '<!DOCTYPE x [<!ENTITY e "v">]>'
    bodies = {
        "empty": "",
        "white space": "  \n ",
        "no XML": "hello",
        "JSON": '{"a": 1}',
        "cut in the declaration": whole[:10],
        "cut in the Envelope tag": whole[:80],
        "cut before Body": whole[: whole.index("<soap:Body>")],
        "cut in the payload": whole[: whole.index(f"</{text}>")],
        "cut before the end of Body": whole[: whole.index("</soap:Body>")],
        "cut at the end": whole[:-1],
        "without the last tag": whole.removesuffix("</soap:Envelope>"),
        "text after the end": whole + "x",
        "element after the end": whole + "<x />",
        "NUL after the end": whole + "\0",
        "comment after the end": whole + "<!-- c -->",
        "tags crossed": whole.replace(f"</{text}>", "</other>"),
        "bare ampersand": whole.replace("é", "a & b"),
        "bare less-than": whole.replace("é", "a < b"),
        "unknown entity": whole.replace("é", "&nbsp;"),
        "bad character reference": whole.replace("é", "&#1;"),
        "surrogate reference": whole.replace("é", "&#xD800;"),
        "control character": whole.replace("é", "\x01"),
        "unquoted attribute": whole.replace(f"<{text}>", f"<{text} a=1>"),
        "attribute twice": whole.replace(f"<{text}>", f'<{text} a="1" a="2">'),
        "prefix unknown": whole.replace(f"<{text}>", f"<q:{text}>").replace(f"</{text}>", f"</q:{text}>"),
        "DTD": whole.replace("?>", f"?>{dtd}", 1),
        "DTD with entity used": whole.replace("?>", f"?>{dtd}", 1).replace("é", "&e;"),
        "declaration not first": " " + whole,
        "two declarations": '<?xml version="1.0"?>' + whole,
        "BOM twice": "\ufeff\ufeff" + whole,
        "bad UTF-8": "",
    }
    bare: tuple[tuple[str, str], ...] = (("Content-Type", f"{version.media_type}; charset=utf-8"),)
    wrong = {
        SOAP_11: (("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", '"urn:wrong"')),
        SOAP_12: (("Content-Type", 'application/soap+xml; charset=utf-8; action="urn:wrong"'),),
    }[version]
    heads = {"": ground.head(version, ground.call.operation), ", no action": bare, ", wrong action": wrong}
    for label, body in bodies.items():
        data = whole.encode().replace("é".encode(), b"\xff") if label == "bad UTF-8" else body.encode()
        for ending, head in heads.items():
            yield _request(f"{version.name} broken {label}{ending}", ground, data, *head)


def _paths(ground: Ground) -> Iterator[Request]:
    contract, operation = ground.contract, ground.call.operation
    body = envelope(SOAP_11, _payload(ground)).encode()
    head = ground.head(SOAP_11, operation)
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    path = contract.path
    for suffix in (f"?op={operation.name}", "?wsdl", "?WSDL", "?disco", "?", "?a=b&c=d", f"?op={operation.name}&x=1"):
        yield Request(f"1.1 POST {suffix}", body, head, target=path + suffix)
    for suffix in (
        f"/{operation.name}",
        f"/{operation.name.lower()}",
        "/Nothing",
        f"/{operation.name}?a=1",
        "/",
        "/a/b",
        "/wsdl",
    ):
        yield Request(f"POST {suffix}", body, head, target=path + suffix)
        yield Request(f"POST form {suffix}", b"a=1", form, target=path + suffix)
        yield Request(f"GET {suffix}", method="GET", target=path + suffix)
        yield Request(f"PUT {suffix}", body, head, method="PUT", target=path + suffix)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
        yield Request(f"{method}", method=method, target=path)
    yield Request("PUT with an envelope", body, head, method="PUT", target=path)
    yield Request("POST form", b"a=1", form, target=path)
    yield Request("POST nothing", b"", (), target=path)
    yield Request("1.1 POST in another case", body, head, target=path.upper().replace(".ASMX", ".asmx"))
    for suffix in (
        "?wsdl",
        "?WSDL",
        "?Wsdl",
        "?disco",
        "?DISCO",
        "",
        "?",
        "?op=",
        f"?op={operation.name}",
        "?op=Nothing",
        "?a=b",
    ):
        yield Request(f"GET {suffix}", method="GET", target=path + suffix)
