"""How requests are read: routing, encodings, values, arrays, limits (asmx-6 to asmx-17, mm-7)."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.wire.conftest import Driver, Kit


def read(driver: Driver, inner: str) -> Any:
    """The struct that the service got for an Echo of these members."""
    reply = driver.call("Echo", f"<value>{inner}</value>")
    assert reply.status == 200, reply.text
    return driver.service.requests[-1].value


def test_asmx_7_action_with_quotes_or_without_and_url_encoded(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>2</a><b>3</b></Add>')
    for action in (f'"{kit.namespace}Add"', f"{kit.namespace}Add", "http%3a%2f%2fdepot.example%2fapi%2fAdd"):
        assert "<AddResult>5</AddResult>" in driver.post(body, action=action).text


def test_asmx_8_text_xml_without_action_is_routed_by_the_body(driver: Driver, kit: Kit) -> None:
    reply = driver.post(kit.envelope(f'<Add xmlns="{kit.namespace}"><a>2</a></Add>'))
    assert reply.headers["content-type"] == "text/xml; charset=utf-8"
    assert f'xmlns:soap="{kit.soap_11}"' in reply.text
    assert "<AddResult>2</AddResult>" in reply.text


def test_asmx_6_the_media_type_beats_the_soap_action(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>2</a></Add>', version="1.2")
    reply = driver.post(body, action='"urn:wrong"', content_type="Application/SOAP+XML")
    assert reply.headers["content-type"] == "application/soap+xml; charset=utf-8"
    assert f'xmlns:soap="{kit.soap_12}"' in reply.text
    assert "<AddResult>2</AddResult>" in reply.text


def test_asmx_6_the_envelope_decides_the_version_at_last(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"/>', version="1.2")
    reply = driver.post(body, action=f"{kit.namespace}Add")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/soap+xml; charset=utf-8")
    assert driver.service.callers[-1].soap_version == "1.2"


@pytest.mark.parametrize("action", ["", '; action="urn:wrong"', "; action=http%3A%2F%2Fdepot.example%2Fapi%2FAdd"])
def test_asmx_9_soap_12_falls_back_to_the_body_element(driver: Driver, kit: Kit, action: str) -> None:
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>4</a></Add>', version="1.2")
    reply = driver.post(body, content_type=f"application/soap+xml{action}; charset=utf-8")
    assert "<AddResult>4</AddResult>" in reply.text


@pytest.mark.parametrize("wrapper", ["<Foo xmlns='urn:x'><a>1</a></Foo>", "<Add><a>1</a></Add>", ""])
def test_asmx_10_a_wrong_wrapper_calls_the_method_without_parameters(driver: Driver, kit: Kit, wrapper: str) -> None:
    reply = driver.post(kit.envelope(wrapper), action=f"{kit.namespace}Add")
    assert "<AddResult>0</AddResult>" in reply.text
    assert driver.service.requests[-1] == kit.Add(a=0, b=0, note=None)


def test_asmx_10_the_wrapper_may_stand_behind_others(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Foo xmlns="urn:x"/><Add xmlns="{kit.namespace}"><a>1</a></Add>')
    driver.post(body, action=f"{kit.namespace}Add")
    assert driver.service.requests[-1] == kit.Add(a=1, b=0, note=None)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/xml", "multipart/related; x=text/xml"])
def test_asmx_11_other_media_types(driver: Driver, kit: Kit, content_type: str | None) -> None:
    reply = driver.post(kit.envelope(""), action=f"{kit.namespace}Add", content_type=content_type)
    assert (reply.status, reply.content) == (415, b"")
    assert reply.headers["content-type"] == "text/xml; charset=utf-8"
    assert not driver.unread


def test_asmx_11_soap_11_envelope_under_the_media_type_of_12(driver: Driver, kit: Kit) -> None:
    reply = driver.post(
        kit.envelope(f'<Add xmlns="{kit.namespace}"/>'), content_type="application/soap+xml; charset=utf-8"
    )
    assert (reply.status, reply.content) == (415, b"")


WORD = "Grüße €"


@pytest.mark.parametrize(
    ("content_type", "declared", "encoding"),
    [
        ("text/xml; charset=utf-8", "iso-8859-1", "utf-8"),
        ('TEXT/XML; Charset="UTF-8"', "", "utf-8"),
        ("text/xml", "", "utf-8"),
        ("text/xml", "utf-8", "utf-8-sig"),
        ("text/xml; charset=iso-8859-1", "", "utf-8-sig"),
        ("text/xml; charset=us-ascii", "", "utf-8"),
        ("text/xml; charset=nonsense", "", "utf-8"),
        ("text/xml", "windows-1252", "windows-1252"),
        ("text/xml; charset=windows-1252", "utf-8", "windows-1252"),
        ("text/xml; charset=iso-8859-15", "", "iso-8859-15"),
        ("text/xml; charset=utf-16", "utf-16", "utf-16"),
        ("text/xml; charset=utf-16", "utf-8", "utf-16-le"),
        ("text/xml; charset=utf-16BE", "", "utf-16-be"),
        ("text/xml", "utf-16", "utf-16"),
        # As .NET's StringWriter declares what is sent as UTF-8.
        ("text/xml", "utf-16", "utf-8"),
        ("text/xml", "unicode", "utf-8"),
        ("text/xml", "shift_jis", "utf-8"),
        ("text/xml; charset=us-ascii", "utf-16", "utf-8"),
        ("text/xml; charset=gb18030", "", "gb18030"),
    ],
)
def test_asmx_12_encodings(driver: Driver, kit: Kit, content_type: str, declared: str, encoding: str) -> None:
    """BOM, then charset, then XML declaration, then UTF-8."""
    body = kit.envelope(f'<Ping xmlns="{kit.namespace}"><word>{WORD}</word></Ping>').partition("?>")[2]
    if declared:
        body = f'<?xml version="1.0" encoding="{declared}"?>{body}'
    for cuts in ([], [1, 2, 3, 5]):
        reply = driver.post(body.encode(encoding), content_type=content_type, cuts=cuts)
        assert f"<PingResult>{WORD}</PingResult>" in reply.text


def test_asmx_12_bytes_that_are_not_of_the_charset(driver: Driver, kit: Kit) -> None:
    start = f'<s:Envelope xmlns:s="{kit.soap_11}">'.encode()
    for content_type in ("text/xml; charset=utf-8", "text/xml; charset=gb18030"):
        reply = driver.post(
            start + b"<s:Header><a>\xff\xff</a>", action=f"{kit.namespace}Add", content_type=content_type
        )
        assert reply.status == 400


def test_asmx_12_bytes_that_are_not_of_the_charset_count_where_they_stand(driver: Driver, kit: Kit) -> None:
    """What comes before them is judged first, however the body is cut."""
    body = b"<Envelope xmlns='urn:x'>\xff\xff"
    uncut: Sequence[int] = ()
    for cuts in (uncut, range(0, 30)):
        reply = driver.post(body, content_type="text/xml; charset=gb18030", cuts=cuts)
        assert reply.fault[0] == "VersionMismatch"


def test_text_before_broken_markup_is_judged_first(kit: Kit) -> None:
    """Long texts are collected by the parser; what it holds when it meets the error counts, however the body is cut."""
    driver = kit.driver(max_member=10_000)
    lines = "x\n" * 6000
    body = kit.envelope(f'<Ping xmlns="{kit.namespace}"><word>{lines}</wrong>')
    for cuts in ([], range(0, len(body), 100), [len(body) - 100]):
        reply = driver.post(body, action=f"{kit.namespace}Ping", cuts=cuts)
        assert reply.fault[1].endswith("The request is too long.")


def test_asmx_13_line_ends_in_text_become_lf(driver: Driver) -> None:
    driver.call("Ping", "<word>a\r\nb\rc&#13;d</word>")
    assert driver.service.requests[-1].word == "a\nb\nc\rd"


def test_asmx_15_order_is_free_and_what_is_unknown_is_ignored(driver: Driver, kit: Kit) -> None:
    reply = driver.post(
        kit.envelope(
            f'<p:Add xmlns:p="{kit.namespace}" extra="1"><p:b> 3 </p:b><other><p:a>9</p:a></other>'
            '<a xmlns="urn:x">8</a><p:a xsi:type="xsd:int" foo="bar">2</p:a><p:a>7</p:a></p:Add><More/>'
        )
    )
    assert "<AddResult>5</AddResult>" in reply.text
    assert driver.service.requests[-1] == kit.Add(a=2, b=3, note=None)


def test_asmx_15_what_is_missing_takes_its_default(driver: Driver, kit: Kit) -> None:
    value = read(driver, "")
    assert value == kit.Everything()
    assert (value.i, value.d, value.t, value.s, value.ni) == (0, 0.0, False, None, None)
    assert value.when == datetime.datetime(1, 1, 1)
    assert value.colour is kit.Colour.red
    assert (value.must, value.flat_words, value.ints) == (kit.Error(), [], None)


def test_asmx_15_empty_is_not_null(driver: Driver) -> None:
    driver.call("Ping", "<word></word>")
    assert driver.service.requests[-1].word == ""
    driver.call("Ping", "<word/>")
    assert driver.service.requests[-1].word == ""
    driver.call("Ping", "")
    assert driver.service.requests[-1].word is None


@pytest.mark.parametrize("nil", ["true", "1", " true "])
def test_asmx_16_nil_is_null(driver: Driver, nil: str) -> None:
    names = ["s", "raw", "ni", "nd", "nt", "nw", "upper", "nil_box", "ints", "boxes"]
    value = read(driver, "".join(f'<{name} xsi:nil="{nil}">x</{name}>' for name in names))
    assert [getattr(value, name) for name in names] == [None] * len(names)
    assert read(driver, '<s xsi:nil="false">x</s>').s == "x"


def test_asmx_16_nil_that_is_no_boolean(driver: Driver) -> None:
    """Looked at only where nil is foreseen."""
    reply = driver.call("Echo", '<value><ni xsi:nil="TRUE">1</ni></value>')
    assert reply.fault[1].endswith("The string 'TRUE' is not a valid Boolean value.")
    assert read(driver, '<ni xsi:nil="">1</ni>').ni == 1
    assert read(driver, '<s xsi:nil="TRUE">x</s>').s == "x"


def test_asmx_16_nil_where_none_is_not_foreseen(driver: Driver, kit: Kit) -> None:
    value = read(
        driver,
        '<must xsi:nil="1"><code>x</code></must><flat_boxes xsi:nil="1"/><flat_boxes/><flat_words xsi:nil="1"/>',
    )
    assert value.must == kit.Error(code=None, number=None)
    assert value.flat_boxes == [kit.Box(id=0, label=None, inner=None)]
    assert value.flat_words == [None]


def test_mm_3_types_that_differ_by_letter_case_only(driver: Driver, kit: Kit) -> None:
    value = read(driver, "<upper><code>1</code><text>2</text></upper><lower><code>1</code><text>2</text></lower>")
    assert value.upper == kit.Error(code="1", number=None)
    assert value.lower == kit.error(text="2")


def test_arrays(driver: Driver, kit: Kit) -> None:
    value = read(
        driver,
        "<ints><int>1</int><foo/><int> 2 </int></ints><words><string>a</string><string/><string xsi:nil='1'/></words>"
        "<boxes><Box><id>4</id></Box><Box xsi:nil='true'/></boxes><colours><Colour>green</Colour></colours>"
        "<flat_words>a</flat_words><flat_ints>1</flat_ints><flat_words>b</flat_words>"
        "<flat_boxes><label>l</label></flat_boxes>",
    )
    assert value.ints == [1, 2]
    assert value.words == ["a", "", None]
    assert value.boxes == [kit.Box(id=4, label=None, inner=None), None]
    assert value.colours == [kit.Colour.green]
    assert (value.flat_words, value.flat_ints) == (["a", "b"], [1])
    assert value.flat_boxes == [kit.Box(id=0, label="l", inner=None)]
    assert read(driver, "<ints/><words></words>").ints == []


def test_mm_7_arrays_in_the_loose_form(driver: Driver, kit: Kit) -> None:
    value = read(driver, "<ints>1</ints><words> a </words><ints> 2 </ints><words>b</words><colours>green</colours>")
    assert value.ints == [1, 2]
    assert value.words == [" a ", "b"]
    assert value.colours == [kit.Colour.green]
    inner = "<value><words>\n  a\n  b </words></value>"
    uncut: Sequence[int] = ()
    for cuts in (uncut, range(0, 600)):
        driver.call("Echo", inner, cuts=cuts)
        assert driver.service.requests[-1].value.words == ["\n  a\n  b "]
    reply = driver.call("Echo", "<value><ints>1</ints><ints>x</ints></value>")
    assert reply.fault[1].endswith("Input string was not in a correct format.")


def test_values_of_any_type(driver: Driver, kit: Kit) -> None:
    value = read(
        driver,
        "<any><anyType xsi:type='xsd:int'>5</anyType><anyType xsi:type='q:boolean'>1</anyType><anyType>x</anyType>"
        "<anyType xsi:nil='true'/><anyType xsi:type='Box'><id>3</id></anyType></any>",
    )
    assert value.any == [5, True, "x", None, kit.Box(id=3, label=None, inner=None)]


def test_a_derived_type_under_xsi_type(driver: Driver, kit: Kit) -> None:
    value = read(
        driver, "<boxes><Box xsi:type='x:Crate'><id>1</id><weight>2</weight></Box><Box xsi:type='No'/></boxes>"
    )
    assert value.boxes == [
        kit.Crate(id=1, label=None, inner=None, weight=2.0, label2=None),
        kit.Box(id=0, label=None, inner=None),
    ]
    assert value.boxes[0].label2 is None


def test_header_is_read_with_foreign_attributes_and_prefixes(driver: Driver, kit: Kit) -> None:
    header = f'<t:Ticket xmlns:t="{kit.namespace}" id="5" s:mustUnderstand="1"><t:Token>good</t:Token></t:Ticket>'
    body = f'<Add xmlns="{kit.namespace}"/>'
    assert driver.post(kit.envelope(body, header=header, token="bad")).status == 200
    assert driver.post(kit.envelope(body, token=None)).fault[1].endswith("[Denied] No such ticket.")
    bare = f'<Envelope xmlns="{kit.soap_11}"><Body>{body}</Body></Envelope>'
    assert driver.post(bare).fault[1].endswith("[Denied] No such ticket.")


def test_a_member_that_is_too_long(kit: Kit) -> None:
    driver = kit.driver(max_member=10_000)
    assert driver.call("Ping", f"<word>{'x' * 9_000}</word>").status == 200
    reply = driver.call("Ping", f"<word>{'x' * 11_000}</word>")
    assert reply.fault == ("Client", "Server was unable to read request. ---> The request is too long.")
    reply = driver.call("Echo", f"<value><ints>{'<int>1</int>' * 1000}</ints></value>")
    assert reply.fault[1].endswith("The request is too long.")
    reply = driver.call("Ping", f"{'<x/>' * 50_000}")
    assert reply.fault[1].endswith("The request is too long.")


def test_bounds_of_markup(driver: Driver, kit: Kit) -> None:
    for inner in (
        "<x>" * 200 + "</x>" * 200,
        "<x " + " ".join(f"a{n}='1'" for n in range(100)) + "/>",
        f"<x a='{'y' * 1_000_000}'/>",
        f"<!--{'y' * 1_000_000}-->",
    ):
        assert driver.call("Nothing", inner).status == 400
    assert driver.call("Nothing", f"<!--{'y' * 100_000}--><word>a</word>").status == 200


def test_the_billion_laughs_are_refused(driver: Driver, kit: Kit) -> None:
    body = '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]>' + kit.envelope("&y;").partition("?>")[2]
    assert driver.post(body, action=f"{kit.namespace}Add").status == 400


def test_a_long_token_in_tiny_pieces_costs_no_more_than_in_large_ones(driver: Driver, kit: Kit) -> None:
    """The parser scans an unfinished token again with every piece: 100,000 pieces of one byte must not do that."""
    inner = f"<!--{'y' * 100_000}--><a>1</a><b>2</b>"
    began = time.process_time()
    assert "<AddResult>3<" in driver.call("Add", inner, cuts=range(0, 101_000)).text
    assert time.process_time() - began < 5
    for inner in (f"<!--{'y' * 300_000}", f"<note>{'y' * 300_000}"):
        assert driver.call("Add", inner, cuts=range(0, 301_000, 7)).status == 400
