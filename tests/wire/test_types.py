"""Declarations and what the schema makes of them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from soapstone.wire.contract import Contract, Operation, encode_name
from soapstone.wire.schema import ArrayType, StructType, struct_type
from soapstone.wire.types import (
    AnyType,
    Boolean,
    DateTime,
    Double,
    Enumeration,
    Flat,
    Int,
    Nillable,
    SpooledBase64,
    String,
    Struct,
)


class Level(Enumeration):
    low = "low"
    high = "high: very"


class Part(Struct):
    n: Int


class Whole(Struct):
    n: Int
    d: Nillable[Double]
    w: DateTime
    s: String
    level: Level
    part: Part | None
    must: Part
    nil: Nillable[Part]
    parts: list[Part] | None
    strings: list[String] | None
    ints: list[Int] | None
    any: list[AnyType] | None
    flat: Flat[Part]
    file: SpooledBase64
    word: String = "given"


class More(Whole):
    extra: Boolean = True


def test_members_keep_order_and_say_how_often_they_occur() -> None:
    """asmx-26."""
    found = [(m.name, m.required, m.nillable, m.flat) for m in struct_type(Whole).members]
    assert found == [
        ("n", True, False, False),
        ("d", True, True, False),
        ("w", True, False, False),
        ("s", False, False, False),
        ("level", True, False, False),
        ("part", False, False, False),
        ("must", True, False, False),
        ("nil", True, True, False),
        ("parts", False, False, False),
        ("strings", False, False, False),
        ("ints", False, False, False),
        ("any", False, False, False),
        ("flat", False, False, True),
        ("file", False, False, False),
        ("word", False, False, False),
    ]


def test_arrays_are_named_after_their_items() -> None:
    members = struct_type(Whole).all_members_by_name
    arrays = {name: members[name].type for name in ("parts", "strings", "ints", "any")}
    assert {name: kind.name for name, kind in arrays.items()} == {
        "parts": "ArrayOfPart",
        "strings": "ArrayOfString",
        "ints": "ArrayOfInt",
        "any": "ArrayOfAnyType",
    }
    assert {n: (k.item.name, k.item.nillable) for n, k in arrays.items() if isinstance(k, ArrayType)} == {
        "parts": ("Part", True),
        "strings": ("string", True),
        "ints": ("int", False),
        "any": ("anyType", True),
    }


def test_members_left_out_take_defaults() -> None:
    make: Any = More
    made = make()
    assert (made.n, made.d, made.s, made.level, made.part, made.must) == (0, None, None, Level.low, None, Part(n=0))
    assert (made.w, made.flat, made.word, made.extra) == (datetime.datetime(1, 1, 1), [], "given", True)
    assert made == make()
    assert made.flat is not make().flat
    assert made != make(n=1)
    with pytest.raises(TypeError, match="More has no member 'x'"):
        make(x=1)


def test_a_derived_struct_has_the_members_of_its_base_first() -> None:
    kind = struct_type(More)
    assert kind.base is struct_type(Whole)
    assert [m.name for m in kind.members] == ["extra"]
    assert [m.name for m in kind.all_members][-2:] == ["word", "extra"]


def test_a_struct_declares_the_members_of_its_mixins_as_its_own_first_ones() -> None:
    class Head(Struct, mixin=True):
        a: Int

    class Longer(Head, mixin=True, numbered={"t": 2}):
        b: String

    class Tail(Struct, mixin=True):
        c: Int

    class Mixed(Part, Longer, Tail):
        d: Int

    class Alone(Head):
        pass

    kind = struct_type(Mixed)
    assert kind.base is struct_type(Part)
    assert [m.name for m in kind.members] == ["a", "b", "t1", "t2", "c", "d"]
    assert [m.name for m in kind.all_members] == ["n", "a", "b", "t1", "t2", "c", "d"]
    assert (struct_type(Alone).base, [m.name for m in struct_type(Alone).members]) == (None, ["a"])


def test_secrets_are_not_shown() -> None:
    class Logon(Struct):
        UserName: String
        Password: String
        sessionId: String

    shown = repr(Logon(UserName="u", Password="hush", sessionId="hush"))
    assert shown == "Logon(UserName='u', Password=…, sessionId=…)"


def test_annotations_without_a_wire_form_are_refused() -> None:
    class A(Struct):
        x: dict[str, int]

    class B(Struct):
        x: Int | None

    class C(Struct):
        x: list[Int]

    class D(Struct):
        x: Level | None

    for cls in (A, B, C, D):
        with pytest.raises(TypeError, match=f"{cls.__name__}.x"):
            _ = struct_type(cls).members


def test_an_operation_makes_its_answer() -> None:
    class DoIt(Struct):
        n: Int

    class DoItAnswer(Struct):
        x: Int

    operation = Operation(DoIt, "Does.", result=Whole | None, deprecated="use Other.")
    assert operation.name == "DoIt"
    assert operation.response.__name__ == "DoItResponse"
    assert [m.name for m in operation.response_type.members] == ["DoItResult"]
    assert operation.description == "[Deprecated: use Other.] Does."
    assert Operation(DoIt, "Does.", response=DoItAnswer).response is DoItAnswer
    assert Operation(DoIt, "Does.").response_type.members == ()
    both = Operation(DoIt, "Does.", result=Int, by_reference={"more": Nillable[Part]})  # type: ignore[misc]
    assert [(m.name, m.nillable) for m in both.response_type.members] == [("DoItResult", False), ("more", True)]
    assert (both.wraps_result, both.result_member) == (False, None)
    with pytest.raises(TypeError, match="either"):
        Operation(DoIt, "Does.", response=DoItAnswer, result=Int)


def test_contract_finds_clashes() -> None:
    class One(Struct):
        n: Int

    other = type("Part", (Struct,), {"__annotations__": {"m": Int}})
    with pytest.raises(TypeError, match="declared twice"):
        Contract("S", "urn:s/", "/s.asmx", None, [Operation(One, ""), Operation(One, "")])
    two = type("Two", (Struct,), {"__annotations__": {"a": other | None, "b": Part | None}})
    with pytest.raises(TypeError, match="named Part"):
        _ = Contract("S", "urn:s/", "/s.asmx", None, [Operation(two, "")]).types


def test_types_are_listed_as_they_are_first_needed() -> None:
    class Head(Struct, any_attribute=True):
        token: String

    class Do(Struct):
        a: list[Part] | None
        b: More | None

    contract = Contract("S", "urn:s/", "/s.asmx", Head, [Operation(Do, "", result=Int)])
    names = [kind.name for kind in contract.types]
    assert names == [
        "ArrayOfPart",
        "Part",
        "More",
        "Whole",
        "Level",
        "ArrayOfString",
        "ArrayOfInt",
        "ArrayOfAnyType",
        "Head",
    ]
    whole = struct_type(Whole)
    assert isinstance(whole, StructType)
    assert [kind.name for kind in contract.derived(whole)] == ["More"]


def test_asmx_25_service_names_are_encoded() -> None:
    assert encode_name("MagnetMail Web Service") == "MagnetMail_x0020_Web_x0020_Service"
    assert encode_name("IntegrationService") == "IntegrationService"
