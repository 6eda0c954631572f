"""The template language: what it does, what it refuses, and that it never fails while mails are built."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from soapstone.sending.messages.message import MOST_MERGED, InvalidMessage, MergedTooLarge
from soapstone.sending.messages.plain_text import plain_template, text_and_markup
from soapstone.sending.messages.template import FILTERS, Template

VALUES = {"first_name": "Zoë", "city": "", "state": "NY", "a b": "<x & 'y'>", "self": "me", "field": "f"}


def render(source: str, *, markup: bool = False) -> str:
    template = Template(source, "subject", markup=markup)
    return template.render({key: VALUES.get(key, "") for key in template.names})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ First_Name }}!", "Hi Zoë!"),
        ("{{first_name}}{{ FIRST_NAME }}", "ZoëZoë"),
        ('{{ City or "somewhere" }}', "somewhere"),
        ("{{ City|default('x') }}{{ State|default('x') }}{{ City|default('y', true) }}", "xNYy"),
        ("{{ City|default(State|lower) }}", "ny"),
        ("{{ field['A B'] }} {{ field[' a b '] }}", "<x & 'y'> <x & 'y'>"),
        ("{{ State if City else 'none' }}", "none"),
        ("{% if City %}a{% elif State == 'NY' and not City %}b{% else %}c{% endif %}", "b"),
        ("{% if State in ['NJ', 'NY'] %}a{% endif %}{% if 'N' in State %}b{% endif %}", "ab"),
        ("{{ self }}{{ field }}{{ loop }}{{ range }}{{ missing }}", "mef"),
        ("@media{#id{color:red}} {# and this #}", "@media{#id{color:red}} {# and this #}"),
        ("# for x\n## y\n", "# for x\n## y\n"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("", ""),
    ],
)
def test_what_templates_do(source: str, text: str) -> None:
    assert render(source) == text


def test_values_are_escaped_in_html_only() -> None:
    assert render("{{ field['a b'] }}", markup=True) == "&lt;x &amp; &#39;y&#39;&gt;"
    assert render("{{ field['a b']|upper }}", markup=True) == "&lt;X &amp; &#39;Y&#39;&gt;"
    assert render("<a href='?q={{ field['a b']|urlencode }}'>", markup=True) == "<a href='?q=%3Cx%20%26%20%27y%27%3E'>"


def test_values_are_no_templates() -> None:
    template = Template("{{ a }}", "subject")
    assert template.render({"a": "{{ b }}"}) == "{{ b }}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ a.b }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ a['b'] }}",
        "{{ field[a] }}",
        "{{ field[1] }}",
        "{{ field.x }}",
        "{{ a() }}",
        "{{ cycler }}{{ cycler() }}",
        "{{ a|attr('x') }}",
        "{{ a|safe }}",
        "{{ a|map('upper') }}",
        "{{ a|default('x', 'y', 'z') }}",
        "{{ a|upper('x') }}",
        "{{ a|default(other=b) }}",
        "{{ a|default(*b) }}",
        "{{ 'a' * 99999999 }}",
        "{{ 2 ** 99999999 }}",
        "{{ a ~ b }}",
        "{{ 1 }}",
        "{{ not a }}",
        "{{ a == b }}",
        "{{ [a] }}",
        "{{ {'a': b} }}",
        "{{ a[1:2] }}",
        "{{ a is defined }}",
        "{{ 'x' if a }}",
        "{% if a > 'b' %}{% endif %}",
        "{% if a == 5 %}{% endif %}",
        "{% if a in 5 %}{% endif %}",
        "{% if a is string %}{% endif %}",
        "{% for a in b %}{% endfor %}",
        "{% set a = b %}",
        "{% macro a() %}{% endmacro %}",
        "{% include 'a' %}",
        "{% extends 'a' %}",
        "{% import 'a' as b %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}a{% endfilter %}",
        "{% call a() %}{% endcall %}",
        "{% with %}{% endwith %}",
        "{% autoescape false %}{{ a }}{% endautoescape %}",
    ],
)
def test_what_templates_may_not_do(source: str) -> None:
    with pytest.raises(InvalidMessage, match=r"The subject uses what a template may not use, in line 2\."):
        Template("\n" + source, "subject")


@pytest.mark.parametrize("source", ["{{ a", "{% if a %}", "{{ a b }}", "{% endif %}", "{{ }}", "{% nonsense %}"])
def test_broken_templates(source: str) -> None:
    with pytest.raises(InvalidMessage, match=r"^The subject is not a correct template, in line 1: "):
        Template(source, "subject")


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}",
        "{% if a %}" * 500 + "{% endif %}" * 500,
        "{{ " + "a or " * 5000 + "a }}",
        "{% if " + "not " * 5000 + "a %}{% endif %}",
        "\0",
    ],
)
def test_monstrous_templates(source: str) -> None:
    with pytest.raises(InvalidMessage):
        Template(source, "subject")


NAMES = st.sampled_from(["a", "B", "field['c d']", "field", "'text'", "''"])
EXPRESSIONS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} if {} in [{}] else {})".format, inner, inner, inner, inner),
        st.builds("({} if not {} != {} else {})".format, inner, inner, inner, inner),
        st.builds("({}|{})".format, inner, st.sampled_from(sorted(FILTERS))),
        st.builds("({}|default({}))".format, inner, inner),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS, st.text(), st.booleans())
def test_what_is_accepted_never_fails(expression: str, value: str, markup: bool) -> None:
    template = Template(f"{{{{ {expression} }}}}", "subject", markup=markup)
    template.render(dict.fromkeys(template.names, value))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo\n"),
        ("a<br>b<br/><br>c", "a\nb\n\nc\n"),
        ("<h1>Title</h1> text   with\n many <b>b</b>lanks", "Title\n\ntext with many blanks\n"),
        ("Fish &amp; chips &eacute;&#233;&lt;b&gt;", "Fish & chips éé<b>\n"),
        (
            'See <a href="https://example.com/?a=1&amp;b=2">our site</a>.',
            "See our site (https://example.com/?a=1&b=2).\n",
        ),
        ('<a href="https://example.com/">https://example.com/</a>', "https://example.com/\n"),
        ('<a href="mailto:a@example.com">a@example.com</a> <a href="#top">up</a>', "a@example.com up\n"),
        ('<a href="https://example.com/"><img src="x.png" alt="Shop"></a>', "Shop (https://example.com/)\n"),
        ('<a href="https://example.com/"><img src="x.png"></a>', "https://example.com/\n"),
        ("<ul><li>one</li><li>two</ul>after", "- one\n- two\n\nafter\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a b\nc\n"),
        ("<head><title>T</title><style>p{}</style><body>x<script>1<2</script>y", "xy\n"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc\n"),
        ("a<!-- hidden -->b", "ab\n"),
        ("a<hr>b", "a\n--------------------\nb\n"),
        ("", "\n"),
    ],
)
def test_plain_text_of_html(html: str, text: str) -> None:
    assert text_and_markup(html)[0] == text


def test_the_text_part_keeps_the_tags_of_the_template() -> None:
    html = (
        "<p>Hi {{ First_Name }},</p>"
        "{% if City %}<p>{{ City|upper }} &amp; <a href='/?e={{ Email }}'>go</a></p>{% endif %}"
    )
    template = plain_template(html)
    assert (
        template == "Hi {{ First_Name }},\n\n{% if City %}\n\n{{ City|upper }} & go (/?e={{ Email }})\n\n{% endif %}\n"
    )
    values = {"first_name": "<Z>", "city": "Oslo", "email": "z@example.com"}
    assert Template(template, "text").render(values) == "Hi <Z>,\n\n\n\nOSLO & go (/?e=z@example.com)\n\n\n"


@given(st.text(st.sampled_from("{%}#ab &<>;123\ufdd0\ufdd1"), max_size=40))
def test_text_never_becomes_a_tag(text: str) -> None:
    """Neither braces that entities stand for, nor those beside a tag."""
    html = "".join(f"&#{ord(character)};" for character in text) + "{{ a }}"
    expected = text_and_markup(html.replace("{{ a }}", "A"))[0]
    assert Template(plain_template(html), "text").render({"a": "A"}) == expected


WRITTEN = st.sampled_from(
    ("Hi ", "\n", "\r\n", "<b>&amp;", "{ ", "}}", "{{ city }}", "{{ field['A B'] }}", "{{ First_Name }}")
)
RAW = st.sampled_from(("{% raw %}{{ x }}{% endraw %}", "{{- city -}}", "{{ missing }}", "{%- raw -%} {% endraw %}"))


@given(
    st.lists(WRITTEN | RAW, max_size=8).map("".join),
    st.booleans(),
    st.dictionaries(
        st.sampled_from(("city", "a b", "first_name")),
        st.sampled_from(("", "<x & 'y'>", Markup("<i>é</i>"), "{{ city }}")),
    ),
)
def test_a_template_of_names_alone_gives_what_jinja_gives(source: str, markup: bool, values: dict[str, str]) -> None:
    """Jinja does not run for it; within a condition it does."""
    try:
        template = Template(source, "subject", markup=markup)
    except InvalidMessage:
        return
    by_jinja = Template(f"{{% if a == a %}}{source}{{% endif %}}", "subject", markup=markup)
    given = {key: values.get(key, "") for key in by_jinja.names}
    assert template.render(given) == by_jinja.render(given)
    assert template.names == {key: name for key, name in by_jinja.names.items() if key != "a"}


def test_a_template_of_names_alone_is_bounded_piece_by_piece() -> None:
    template = Template("{{ a }}" * 500 + "b", "subject")
    longest = MOST_MERGED // 500
    with pytest.raises(MergedTooLarge):
        template.render({"a": "x" * (longest + 1)})
    assert len(template.render({"a": "x" * (longest - 1)})) == 500 * (longest - 1) + 1
    assert template.fixed == {"b"}
