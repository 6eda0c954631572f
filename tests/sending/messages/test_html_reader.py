"""HTML is read as browsers read it, with places, without errors, and in linear time."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from justhtml import stream

from soapstone.sending.messages.body_links import end_of_body, links_in_html
from soapstone.sending.messages.html_reader import Comment, EndTag, HtmlReader, StartTag, Text
from soapstone.sending.messages.hyperlinks import hyperlinks
from soapstone.sending.messages.message import Draft
from soapstone.sending.messages.plain_text import plain_template, text_and_markup
from soapstone.sending.messages.template import Template


def read(source: str) -> list[tuple[object, ...]]:
    """What the reader finds, texts that follow each other as one."""
    found: list[tuple[object, ...]] = []
    for token in HtmlReader(source):
        if isinstance(token, StartTag):
            found.append(("start", token.name, {each.name: each.value for each in token.attributes}))
        elif isinstance(token, EndTag):
            found.append(("end", token.name))
        elif isinstance(token, Text):
            before = str(found.pop()[1]) if found and found[-1][0] == "text" else ""
            found.append(("text", before + token.text))
    return found


def read_by_library(source: str) -> list[tuple[object, ...]]:
    """The same by a library that passes the tests of the HTML standard."""
    found: list[tuple[object, ...]] = []
    for kind, data in stream(source):
        if kind == "start":
            assert isinstance(data, tuple)
            found.append(("start", data[0], data[1]))
        elif kind == "end":
            found.append(("end", data))
        elif kind == "text":
            before = str(found.pop()[1]) if found and found[-1][0] == "text" else ""
            found.append(("text", before + str(data)))
    return found


WITHOUT_SPACE = """
< </ > /> / = x 1 <! <!-- --> --!> -> -- <? <![1]> </> <a <p </a> </p> <br/> <title> </title> <style> </style </style>
<script> </script> <script <textarea> </textarea> <xmp> </xmp> <iframe> </iframe> <plaintext>
&amp; &amp & &sect &section=2 &notit; &not; &#65; &#x41 &#128; &#0; &#xd800; &#99999999999; &copy= ;
"""
PIECES = [
    *WITHOUT_SPACE.split(),
    *("<b ", "<A HREF=", "</script ", "</ x>", "<b =c>", "<!DOCTYPE html>", "\n", "\t", " "),
    *(" href=", ' c="', " d='", '" ', "' ", ' e="1>2 &sect=3"'),
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_tags_and_texts_are_those_that_browsers_see(source: str) -> None:
    # In these the library leaves the standard: attribute names after a slash, and quotes in end tags.
    assume("/=" not in source and " =" not in source and '"=' not in source and "'=" not in source)
    assume("\n=" not in source and "\t=" not in source)
    assume(not any("'" in part.partition(">")[0] or '"' in part.partition(">")[0] for part in source.split("</")[1:]))
    assert read(source) == read_by_library(source)


@given(st.lists(st.sampled_from([*PIECES, '"', "'", "é", "\r\n", "{{ a }}", "{% if a %}", "\ufdd0"])).map("".join))
def test_places_are_those_in_the_source(source: str) -> None:
    """Tokens do not overlap, and what lies between them is nothing that is shown."""
    end = 0
    for token in HtmlReader(source):
        assert end <= token.start < token.end
        assert source[end : token.start] in ("", "</>") or set(source[end : token.start].split("</>")) == {""}
        text, end = source[token.start : token.end], token.end
        if isinstance(token, StartTag | EndTag):
            assert text.startswith("</" if isinstance(token, EndTag) else "<")
            assert text.endswith(">")
        elif isinstance(token, Comment):
            assert text.startswith("<")
            assert token.closed or token.end == len(source)
        else:
            assert token.text
    assert set(source[end:].split("</>")) == {""}


def test_attributes_have_their_places() -> None:
    source = """{{ "<a>" }}<a class=x\nHREF = '?id=1&section=2&amp;x={{ Email | default(">") }}' href=no disabled>"""
    tag = next(token for token in HtmlReader(source, template=True) if isinstance(token, StartTag))
    assert [(each.name, source[each.start : each.end]) for each in tag.attributes] == [
        ("class", "x"),
        ("href", '?id=1&section=2&amp;x={{ Email | default(">") }}'),
        ("disabled", ""),
    ]
    reader = HtmlReader(source, template=True)
    assert reader.restored(tag.value("href")) == '?id=1&section=2&x={{ Email | default(">") }}'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_places_hold_for_all_line_ends_and_for_white_space_that_templates_take_away(end: str) -> None:
    source = f"a{end}  {{%- if a -%}}  {end}<b>{{% raw %}}{{{{<i>{{%- endraw %}}</b>{end}{{{{{end}a }}}}{{% endif %}}"
    reader = HtmlReader(source, template=True)
    assert [source[token.start : token.end] for token in reader if not isinstance(token, Text)] == [
        "<b>",
        "<i>",
        "</b>",
    ]
    assert [(tag.block, tag.text) for tag in reader.merge_tags] == [
        ("if", f"{{%- if a -%}}  {end}"),
        ("raw", ""),
        ("raw", ""),
        ("", f"{{{{{end}a }}}}"),
        ("endif", "{% endif %}"),
    ]


@pytest.mark.parametrize(
    ("html", "text", "urls"),
    [
        ('<a href="?id=1&section=2">x</a>', "x (?id=1&section=2)\n", []),
        (
            '<a href="http://a/?a=1&copy=2&lt=3&amp;b">x</a>',
            "x (http://a/?a=1&copy=2&lt=3&b)\n",
            ["http://a/?a=1&copy=2&lt=3&b"],
        ),
        ("<![1]>a<![if !mso]>b<![endif]>", "ab\n", []),
        ("<!--[if mso]><a href='http://a/'>A</a><![endif]-->b", "b\n", []),
        ("<!--[if !mso]><!--><a href='http://a/'>A</a><!--<![endif]-->", "A (http://a/)\n", ["http://a/"]),
        ("<script>'<a href=\"http://a/\">'</script><noscript>n</noscript>", "n\n", []),
        ("<a href='http://a/'>A<a href='http://b/'>B</a>", "A (http://a/)B (http://b/)\n", ["http://a/", "http://b/"]),
        ("<map><area href='http://a/' alt='Shop'></map>", "Shop (http://a/)\n", ["http://a/"]),
        ("a < b <3 </> c", "a < b <3 c\n", []),
    ],
)
def test_the_text_part_and_the_links_are_read_alike(html: str, text: str, urls: list[str]) -> None:
    assert text_and_markup(html)[0] == text
    assert [link.url for link in hyperlinks(Draft(subject="", html=html), None)] == urls


def test_conditions_between_the_rows_of_a_table_stay_where_they_are() -> None:
    html = "<table>{% if a %}<tr><td>A</td></tr>{% endif %}<tr><td>B</td></tr></table>"
    template = Template(plain_template(html), "text")
    assert template.render({"a": ""}).split() == ["B"]
    assert template.render({"a": "1"}).split() == ["A", "B"]


@pytest.mark.parametrize(
    ("html", "without", "with_a"),
    [
        ("<p>x</p>{% if a %}<!-- {% endif %} --><p>y</p>", "x y", "x y"),
        ("<!-- {% if a %} --><p>x</p><!-- {% endif %} --><p>y</p>", "y", "x y"),
        ("<p {% if a %}class=b>x</p><p {% endif %}>y</p>", "y", "x y"),
        ("<style>{% if a %}</style>x<style>{% else %}p{}</style>y<style>{% endif %}</style>z", "y z", "x z"),
        ('<a href="u{% if a %}">x</a>{% endif %}z', "z", "x (u)z"),
        ('<a href="{% if a %}u{% else %}v{% endif %}">x</a>', "x (v)", "x (u)"),
        ("<p {% if a %}class=b{% endif %}><title>{% if a %}t{% endif %}</title>y", "y", "y"),
    ],
)
def test_conditions_that_begin_or_end_where_nothing_is_shown(html: str, without: str, with_a: str) -> None:
    template = Template(plain_template(html), "text")
    assert "".join(template.render({"a": ""}).split()) == "".join(without.split())
    assert "".join(template.render({"a": "1"}).split()) == "".join(with_a.split())


def test_a_condition_may_choose_the_address_of_a_link() -> None:
    html = '<a {% if a %}href="http://a/"{% else %}href="http://b/"{% endif %}>x</a>'
    assert [link.url for link in hyperlinks(Draft(subject="", html=html), None)] == ["http://a/", "http://b/"]


@pytest.mark.parametrize(
    "piece",
    ["<a href=x>", "<div><b>", "<!---->", "<a ", "a=b ", '<a href="', "&amp", "</p", "<![1]>", "<script><!--<script>"],
)
@pytest.mark.parametrize("read", [text_and_markup, end_of_body, lambda html: links_in_html(html, frozenset({"a"}))])
def test_time_is_linear_whatever_the_source(piece: str, read: Callable[[str], object]) -> None:
    count = 20_000 // len(piece)
    once, twice = f"<p {piece * count}", f"<p {piece * count * 2}"
    # How much more the double takes, in turns that are close together: the machine is not as quick at all times.
    growth: list[float] = []
    gc.disable()
    try:
        for _ in range(9):
            begin = time.thread_time()
            read(once)
            middle = time.thread_time()
            read(twice)
            growth.append((time.thread_time() - middle) / (middle - begin))
    finally:
        gc.enable()
    assert median(growth) <= 2.5
