"""Request variants around values: how a scalar, an object or an array may be written, well and badly."""

from __future__ import annotations

from collections.abc import Iterator

from tests.interop.oracle.exchange import Request
from tests.interop.oracle.ground import Ground, Spot

from soapstone.wire.envelope import SOAP_11, SOAP_12
from soapstone.wire.schema import ArrayType, EnumType, StructType

_INTEGERS = [
    "1", " 1 ", "\t1\n", "+1", "-1", "-0", "007", "1.0", "1.", "1e3", "0x10", "", " ", "abc", "1 2", "1_000", "1,000",
    "+-1", "--1", "- 1", "1-", "(1)", "１", "\u00a01", "true", "<![CDATA[5]]>", "&#49;", "1<!-- c -->2", "1<?p i?>2",
    "99999999999999999999999", "-99999999999999999999999",
]  # fmt: skip
_FLOATS = [
    "1", "1.5", "-1.5e3", "1E5", "1e+5", "INF", "-INF", "+INF", "NaN", "inf", "Infinity", "nan", "1.", ".5", "", " ",
    " 1.5 ", "+1.5", "1,000.5", "1d", "e5", "0x1", "-0", "123456789.123456789", "1e-320",
    "1e400", "-1e400", "1.7976931348623157E+308",
]  # fmt: skip
TEXTS: dict[str, list[str]] = {
    "int": [*_INTEGERS, "2147483647", "2147483648", "-2147483648", "-2147483649"],
    "long": [*_INTEGERS, "9223372036854775807", "9223372036854775808", "-9223372036854775808"],
    "double": _FLOATS,
    "boolean": [
        "true", "false", "1", "0", "TRUE", "True", " true ", "\n1\n", "", " ", "yes", "2", "+1", "01", "t", "nil",
    ],
    "dateTime": [
        "2021-03-04T05:06:07", "2021-03-04T05:06:07Z", "2021-03-04T05:06:07+02:00", "2021-03-04T05:06:07-05:30",
        "2021-03-04T05:06:07.1", "2021-03-04T05:06:07.123", "2021-03-04T05:06:07.1234567Z", " 2021-03-04T05:06:07 ",
        "2021-03-04", "2021-03-04Z", "2021-03-04+02:00", "2021-03", "2021", "--03-04", "---04", "--03--", "--03",
        "2021-3-4", "2021-03-04 05:06:07", "2021-03-04T05:06", "2021-03-04T24:00:00", "2021-03-04T25:00:00",
        "2021-02-29", "2020-02-29", "2021-13-01", "2021-03-04T05:06:60", "0001-01-01T00:00:00", "9999-12-31T23:59:59",
        "0000-01-01T00:00:00", "10000-01-01T00:00:00", "-2021-03-04", "", " ", "yesterday", "03/04/2021",
        "2021-03-04T05:06:07z", "2021-03-04t05:06:07", "2021-03-04T05:06:07+14:00", "2021-03-04T05:06:07+15:00",
        "2021-03-04T05:06:07.", "20210304", "1614834367",
    ],
    "string": [
        "a", "", " ", " a b ", "a\tb\nc", "a\r\nb\rc", "a&#13;&#10;b", "&lt;&amp;&gt;&quot;&apos;", "<![CDATA[<&]]>",
        "a<![CDATA[b]]>c", "a<!-- c -->b", "a<?p i?>b", "é€😀", "&#233;&#x20AC;&#128512;", "\u00a0\u2028\ufeff",
        "&#9;&#10;",
    ],
    "base64Binary": [
        "AQID", "AQI=", "AQ==", "", " AQ ID ", "AQ\r\nID\n", "AQ", "AQI", "A", "AQID=", "====", "AQ==AQ==", "A*ID", "é",
        "AQ_-", "<![CDATA[AQID]]>", "AQ<!-- c -->ID",
    ],
}  # fmt: skip
WRITTEN: dict[str, list[str]] = {
    "double": [
        "0", "-0.0", "1005", "-7", "1.5", "0.1", "4.35", "100000", "123456789012", "1e15", "1e16", "1e17", "1e20",
        "1e21", "1.5e300", "0.001", "0.0001", "0.00012", "0.00001", "1.5e-7", "123456789.123456789",
        "3.3333333333333335", "0.30000000000000004", "1.7976931348623157E308", "5e-324", "1e22", "-1e-10", "1e100",
        "9007199254740993", "1.5e15", "999999999999999", "0.1234567890123456",
        "55258.82872479642", "44538719405480144", "123456789012345678", "NaN", "Infinity", "-Infinity",
    ],
    "decimal": ["0", "1.10", "100", "1.000000", "-0.5", "79228162514264337593543950335", "0.0000001", "0.00", "-42"],
    "string": [
        "", " ", "a\rb", "a\r\nb", "\n", "\t", "'\"", "]]>", "<a b=\"c\">&amp;</a>", "\u0085\u2028\u00a0", "\U0001f600",
        " leading and trailing ", "\ufeff", "\ufffd",
    ],
    "dateTime": [
        "0001-01-01T00:00:00", "9999-12-31T23:59:59.999", "2021-03-04T05:06:07.1", "2021-03-04T05:06:07.120",
        "2021-03-04T05:06:07.001", "2021-03-04T05:06:07Z", "2021-03-04T05:06:07.5Z", "1899-12-30T00:00:00",
        "2021-12-31T00:00:00", "0001-01-01T00:00:00Z",
    ],
}  # fmt: skip
"""Values of answers, by XML Schema name."""

_NIL = {
    "nil true": ('xsi:nil="true"', ""),
    "nil 1": ('xsi:nil="1"', ""),
    "nil spaced": ('xsi:nil=" true "', ""),
    "nil false": ('xsi:nil="false"', "{}"),
    "nil 0": ('xsi:nil="0"', "{}"),
    "nil false, empty": ('xsi:nil="false"', ""),
    "nil true, with content": ('xsi:nil="true"', "{}"),
    "nil TRUE": ('xsi:nil="TRUE"', "{}"),
    "nil without namespace": ('nil="true"', "{}"),
    "xsi:type": ('xsi:type="xsd:{type}"', "{}"),
    "xsi:type of another": ('xsi:type="xsd:short"', "{}"),
    "unknown attribute": ('a="1"', "{}"),
}
_GOOD = {
    "int": "1",
    "long": "1",
    "double": "1.5",
    "boolean": "true",
    "dateTime": "2021-03-04T05:06:07",
    "string": "a",
    "base64Binary": "AQID",
}


def value_variants(ground: Ground) -> Iterator[Request]:
    """Everything about values, in both SOAP versions; where it cannot matter, in one."""
    spots = {
        f"{'nillable ' if nillable else ''}{'spooled ' if spooled else ''}{kind}": ground.scalar(
            kind, nillable=nillable, spooled=spooled
        )
        for kind in TEXTS
        for nillable in (False, True)
        for spooled in (False, True)
    }
    for label, spot in spots.items():
        if spot is not None:
            yield from _scalar(ground, label, spot)
    if (spot := ground.enum()) is not None:
        yield from _enum(ground, spot)
    for kind in ("int", "string", "struct"):
        if (spot := ground.array(kind)) is not None:
            yield from _array(ground, f"array of {kind}", spot)
    for nillable in (False, True):
        if (spot := ground.struct(nillable=nillable)) is not None:
            yield from _struct(ground, f"{'nillable ' if nillable else ''}struct", spot)
    if (spot := ground.flat()) is not None:
        yield from _flat(ground, spot)


def _scalar(ground: Ground, label: str, spot: Spot) -> Iterator[Request]:
    kind = label.rpartition(" ")[2]
    name, good = spot.member.name, _GOOD[kind]
    for at, text in enumerate(TEXTS[kind]):
        version = (SOAP_11, SOAP_12)[at % 2]
        yield ground.post(f"{label} {text!a}", version, spot.operation, spot.holding(text))
    shapes = {
        shape: spot.holding(content.format(good), " " + attributes.format(type=kind))
        for shape, (attributes, content) in _NIL.items()
    }
    shapes["self-closed"] = spot.around(f"<{name} />")
    shapes["absent"] = spot.around("")
    shapes["with a child"] = spot.holding(f"{good}<x>2</x>")
    shapes["child only"] = spot.holding("<x>2</x>")
    shapes["repeated"] = spot.around(f"<{name}>{good}</{name}><{name}>{TEXTS[kind][1]}</{name}>")
    shapes["repeated, bad second"] = spot.around(f"<{name}>{good}</{name}><{name}>bad</{name}>")
    shapes["in another namespace"] = spot.around(f'<{name} xmlns="urn:other">{good}</{name}>')
    shapes["in no namespace"] = spot.around(f'<{name} xmlns="">{good}</{name}>')
    shapes["in another case"] = spot.around(f"<{name.swapcase()}>{good}</{name.swapcase()}>")
    for at, (shape, payload) in enumerate(shapes.items()):
        yield ground.post(f"{label} {shape}", (SOAP_11, SOAP_12)[at % 2], spot.operation, payload)


def _enum(ground: Ground, spot: Spot) -> Iterator[Request]:
    assert isinstance(spot.member.type, EnumType)
    first, *_, last = [str(value.value) for value in spot.member.type.cls]
    texts = [
        first,
        last,
        first.swapcase(),
        f" {last} ",
        "",
        " ",
        "other",
        f"{first} {last}",
        "0",
        "1",
        f"{first},{last}",
    ]
    for version in (SOAP_11, SOAP_12):
        for text in texts:
            yield ground.post(f"enum {text!a}", version, spot.operation, spot.holding(text))
        yield ground.post("enum nil", version, spot.operation, spot.holding("", ' xsi:nil="true"'))
        yield ground.post("enum absent", version, spot.operation, spot.around(""))


def _array(ground: Ground, label: str, spot: Spot) -> Iterator[Request]:
    kind = spot.member.type
    assert isinstance(kind, ArrayType)
    name, item = spot.member.name, kind.item.name
    if isinstance(kind.item.type, StructType):
        scalar = next(member for member in kind.item.type.all_members if member.type.name in ("int", "long"))
        one, two = (f"<{scalar.name}>{value}</{scalar.name}>" for value in (1, 2))
    else:
        one, two = "1", "2"
    items = f"<{item}>{one}</{item}><{item}>{two}</{item}>"
    shapes = {
        "absent": spot.around(""),
        "empty": spot.holding(""),
        "self-closed": spot.around(f"<{name} />"),
        "white space": spot.holding("\n  "),
        "nil": spot.holding("", ' xsi:nil="true"'),
        "nil with items": spot.holding(items, ' xsi:nil="true"'),
        "one item": spot.holding(f"<{item}>{one}</{item}>"),
        "two items": spot.holding(items),
        "indented": spot.holding(f"\n  <{item}>{one}</{item}>\n  <{item}>{two}</{item}>\n"),
        "nil item": spot.holding(f'<{item}>{one}</{item}><{item} xsi:nil="true" />'),
        "empty item": spot.holding(f"<{item} /><{item}></{item}>"),
        "unknown items": spot.holding(f"<other>{one}</other><{item}>{two}</{item}>"),
        "items of another namespace": spot.holding(f'<{item} xmlns="urn:other">{one}</{item}><{item}>{two}</{item}>'),
        "typed": spot.holding(items, f' xsi:type="{kind.name}" xmlns:q="urn:q"'),
        "text between": spot.holding(f"a<{item}>{one}</{item}>b"),
        "comment between": spot.holding(f"<!-- a --><{item}>{one}</{item}><!-- b -->"),
        "bad item": spot.holding(f"<{item}>{one}</{item}><{item}>bad</{item}>"),
        "array in array": spot.holding(f"<{name}>{items}</{name}>"),
        "repeated": spot.around(f"<{name}>{items}</{name}><{name}>{items}</{name}>"),
        "loose": spot.holding(one),
        "loose, repeated": spot.around(f"<{name}>{one}</{name}><{name}>{two}</{name}>"),
        "soap encoded": spot.holding(
            items, f' soapenc:arrayType="xsd:{item}[2]" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"'
        ),
    }
    for version in (SOAP_11, SOAP_12):
        for shape, payload in shapes.items():
            yield ground.post(f"{label} {shape}", version, spot.operation, payload)


def _struct(ground: Ground, label: str, spot: Spot) -> Iterator[Request]:
    kind = spot.member.type
    assert isinstance(kind, StructType)
    name = spot.member.name
    texts = [
        member for member in kind.all_members if member.type.name in _GOOD and not member.flat and not member.spool
    ]
    members = [f"<{member.name}>{_GOOD[member.type.name]}</{member.name}>" for member in texts]
    full, bare = "".join(members), f' xmlns="{ground.contract.namespace}"'
    shapes = {
        "absent": spot.around(""),
        "empty": spot.holding(""),
        "self-closed": spot.around(f"<{name} />"),
        "nil": spot.holding("", ' xsi:nil="true"'),
        "nil with members": spot.holding(full, ' xsi:nil="true"'),
        "full": spot.holding(full),
        "indented": spot.holding("\n" + "\n".join(members) + "\n"),
        "reversed": spot.holding("".join(reversed(members))),
        "unknown members": spot.holding(f"<a>1</a>{full}<b><c>2</c></b>"),
        "unknown member with our names inside": spot.holding(f"<a>{full}</a>"),
        "text only": spot.holding("text"),
        "text between": spot.holding(f"text{full}text"),
        "repeated": spot.around(f"<{name}>{members[0]}</{name}><{name}>{members[-1]}</{name}>"),
        "own type": spot.holding(full, f' xsi:type="{kind.name}"'),
        "own type, prefixed": spot.holding(full, f' xsi:type="t:{kind.name}" xmlns:t="{ground.contract.namespace}"'),
        "unknown type": spot.holding(full, ' xsi:type="Unknown"'),
        "type of another namespace": spot.holding(full, f' xsi:type="t:{kind.name}" xmlns:t="urn:other"'),
        "unknown attribute": spot.holding(full, ' a="1" xml:lang="en" id="i1"'),
        "prefixed members": spot.holding(
            f'<p:{texts[0].name} xmlns:p="{ground.contract.namespace}">{_GOOD[texts[0].type.name]}</p:{texts[0].name}>'
        ),
        "members in no namespace": spot.holding(full.replace(">", ' xmlns="">', 1)),
        "members declared anew": spot.holding(f"<{texts[0].name}{bare}>{_GOOD[texts[0].type.name]}</{texts[0].name}>"),
    }
    for version in (SOAP_11, SOAP_12):
        for shape, payload in shapes.items():
            yield ground.post(f"{label} {shape}", version, spot.operation, payload)


def _flat(ground: Ground, spot: Spot) -> Iterator[Request]:
    kind = spot.member.type
    name = spot.member.name
    assert isinstance(kind, StructType)
    scalar = next(member for member in kind.all_members if member.type.name in ("int", "long"))
    one, two = (f"<{name}><{scalar.name}>{value}</{scalar.name}></{name}>" for value in (1, 2))
    shapes = {
        "absent": spot.around(""),
        "one": spot.around(one),
        "two": spot.around(one + two),
        "two apart": spot.around(f"{one}<other />{two}"),
        "empty": spot.around(f"<{name} />"),
        "nil": spot.around(f'<{name} xsi:nil="true" />{one}'),
        "wrapped": spot.around(f"<{name}>{one}{two}</{name}>"),
    }
    for version in (SOAP_11, SOAP_12):
        for shape, payload in shapes.items():
            yield ground.post(f"flat {shape}", version, spot.operation, payload)
