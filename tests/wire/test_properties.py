"""General rules: any cutting, any value, any damage."""

from __future__ import annotations

import datetime
import decimal
import math
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from soapstone.wire.schema import ArrayType, EnumType, Member, StructType, struct_type
from soapstone.wire.writer import write_struct

if TYPE_CHECKING:
    from tests.wire.conftest import Kit

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=["Cc", "Cs"])
) | st.just("a\n\tb<&>\"']]>")
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "unsignedByte": st.integers(0, 255),
    "double": st.floats(allow_nan=False),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12),
    "boolean": st.booleans(),
    "dateTime": st.datetimes(timezones=st.sampled_from([None, UTC])).map(
        lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
    ),
    "string": TEXT,
    "base64Binary": st.binary(max_size=50),
}
SCALARS["anyType"] = st.one_of(
    *(SCALARS[name] for name in ("int", "double", "boolean", "string", "dateTime", "decimal", "base64Binary"))
)


def values(member: Member, depth: int) -> st.SearchStrategy[Any]:
    kind = member.type
    if isinstance(kind, StructType):
        found: st.SearchStrategy[Any] = st.none() if depth > 3 else structs(kind.cls, depth + 1)
    elif isinstance(kind, ArrayType):
        found = st.lists(values(kind.item, depth + 1), max_size=3)
    elif isinstance(kind, EnumType):
        found = st.sampled_from(list(kind.cls))
    else:
        found = SCALARS[kind.name]
    if member.flat:
        return st.lists(found, max_size=3).map(lambda items: [item for item in items if item is not None])
    if member.nillable or (not member.required and kind.reference):
        return st.none() | found
    return found


def structs(cls: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    members = struct_type(cls).all_members
    return st.builds(cls, **{member.name: values(member, depth) for member in members})


@cache
def everything(kit: Kit) -> st.SearchStrategy[Any]:
    return structs(kit.Everything)


def cut_at() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 2000), max_size=12)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_value_that_is_written_reads_back(kit: Kit, data: st.DataObject) -> None:
    value = data.draw(everything(kit))
    driver = kit.driver()
    inner = write_struct(value, "").replace("<Everything", "<value", 1).replace("</Everything>", "</value>")
    inner = inner.replace(' xmlns=""', f' xmlns="{kit.namespace}" xmlns:xsd="http://www.w3.org/2001/XMLSchema"', 1)
    reply = driver.call("Echo", inner, version=data.draw(st.sampled_from(["1.1", "1.2"])))
    assert reply.status == 200, reply.text
    assert driver.service.requests[-1].value == value
    # And the answer holds the same value in the same bytes.
    content = inner[inner.index(">") + 1 : inner.rindex("</value>")]
    assert f"<EchoResult>{content}</EchoResult>" in reply.text


@settings(deadline=None, max_examples=60)
@given(cuts=cut_at(), token=st.sampled_from(["good", "bad"]), which=st.integers(0, 6), utf16=st.booleans())
def test_any_cutting_gives_the_same_answer(kit: Kit, cuts: list[int], token: str, which: int, utf16: bool) -> None:
    inner = [
        "<Add xmlns='@'><a>1</a><b> 2 </b></Add>",
        "<Add xmlns='@'><a>x</a></Add>",
        "<Add xmlns='@'><a>1</b></Add>",
        "<Store xmlns='@'><name>ü€😀</name><text>a&lt;\r\nb</text><file>YW\nJj</file><replace>1</replace></Store>",
        "<Store xmlns='@'><text>a&lt;\r\nb</text><file>YW\nJ</file></Store>",
        "<Store xmlns='@'><text>a</text><replace>maybe</replace></Store>",
        "<Unknown/>",
    ][which].replace("@", kit.namespace)
    body = kit.envelope(inner, token=token)
    sent = body.replace("utf-8", "utf-16").encode("utf-16") if utf16 else body.encode()
    whole, cut = kit.driver(), kit.driver()
    one, other = whole.post(sent, content_type="text/xml"), cut.post(sent, content_type="text/xml", cuts=cuts)
    assert one == other
    assert [u.content for u in whole.uploads if u.kept] == [u.content for u in cut.uploads if u.kept]
    assert whole.service.log == cut.service.log
    assert all(upload.kept or upload.discarded for upload in whole.uploads + cut.uploads)


SEED = (
    "<value><i>1</i><when>2013-01-01</when><s>a</s><raw>YQ==</raw><colour>green</colour><ints><int>1</int></ints>"
    '<any><anyType xsi:type="xsd:int">1</anyType></any><flat_boxes><id>1</id></flat_boxes></value>'
)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_damaged_request_always_gets_a_documented_answer(kit: Kit, data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(["1.1", "1.2"]))
    body = kit.envelope(f'<Echo xmlns="{kit.namespace}">{SEED}</Echo>', version=version).encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 12))
        piece = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"<", b">", b"&", b"</x>", b"<x>", b"]]>", b"\xff", b"9"])
        )
        body = body[:at] + piece + body[at + length :]
    action = data.draw(st.sampled_from([None, f"{kit.namespace}Echo", '"x"', ""]))
    media = data.draw(
        st.sampled_from(["text/xml", "application/soap+xml", "text/xml; charset=utf-16", "text/xml; charset="])
    )
    reply = kit.driver().post(body, action=action, content_type=media, cuts=data.draw(cut_at()))
    assert reply.status in (200, 400, 415, 500)
    if reply.status in (400, 415):
        assert reply.content == b""
    elif reply.status == 500:
        code, text = reply.fault
        assert code in ("Client", "Server", "Sender", "Receiver", "MustUnderstand", "VersionMismatch")
        assert text != "Server was unable to process request. ---> Something broke here."
    else:
        assert "<EchoResponse" in reply.text


def test_special_values_come_back(kit: Kit) -> None:
    driver = kit.driver()
    reply = driver.call("Echo", "<value><d>NaN</d><nd>-INF</nd><m>0.10</m><when>0001-01-01T00:00:00</when></value>")
    value = driver.service.requests[-1].value
    assert math.isnan(value.d)
    assert value.nd == -math.inf
    assert value.m == decimal.Decimal("0.10")
    assert value.when == datetime.datetime(1, 1, 1)
    assert "<d>NaN</d>" in reply.text
    assert "<when>0001-01-01T00:00:00</when>" in reply.text
