"""Links are replaced by their place in the source; nothing else of what an author wrote changes."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from soapstone.accounts.link_keys import LinkKeys
from soapstone.sending.messages.content import Content, Rendered
from soapstone.sending.messages.link_places import encoded_merge_tags, undelimited_in_links
from soapstone.sending.messages.link_rewriting import LinkRules, TrackedMessage
from soapstone.sending.messages.message import InvalidMessage, Message
from soapstone.tracking.links import LONGEST_TEXT, MOST_LINKS, TrackedLink
from soapstone.tracking.stems import Stems
from soapstone.vocabulary.messages import MessageKind

BASE = "https://t.shop.example"
RULES = LinkRules(base=BASE, own=["https://lists.shop.example/soap"], untracked=["partner.example"])
STEMS = Stems(LinkKeys.single("key"))
STEM = STEMS.make(7, 4)
PIXELS = f'<img src="{BASE}/o/{STEM}.gif" width="1" height="1" style="display:block" alt="">'
PIXELS += f'<img src="{BASE}/r/{STEM}.gif" width="1" height="1" style="display:block" alt="">'


def message(html: str = "", plain: str = "") -> Message:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    texts: Any = dict.fromkeys(
        ("name", "public_id", "subject", "from_name", "from_address", "reply_address", "to_name"), ""
    )
    flags: Any = dict.fromkeys(("archived", "hidden", "has_own_links"), False)
    none: Any = dict.fromkeys(("list_id", "campaign_id", "category_id", "login_id"))
    return Message(
        id=7, account_id=1, kind=MessageKind.SEND, html=html, plain=plain, charset="utf-8", extras={},
        created_at=moment, updated_at=moment, **texts, **flags, **none,
    )  # fmt: skip


def tracked(
    html: str = "", plain: str = "", rules: LinkRules = RULES, **values: str
) -> tuple[Rendered, list[TrackedLink]]:
    """The merged mail with the stem STEM, and its links."""
    found = TrackedMessage(message(html, plain), rules)
    positions = list(range(1, len(found.links) + 1))
    rewritten = found.rewritten(positions, STEM, pixels=("o", "r"))
    content = Content(rewritten, tracked=True)
    return content.render(values, found.dynamic_links(positions, STEMS).of(STEM)), found.links


def html_of(html: str, rules: LinkRules = RULES, **values: str) -> str:
    """The HTML body without its pixels."""
    rendered, _ = tracked(html, "-", rules, **values)
    assert rendered.html is not None
    assert rendered.html.count(PIXELS) == rendered.html.count("<img") - html.count("<img") - 1 == 1
    return rendered.html.replace(PIXELS, "")


def click(position: int) -> str:
    return f"{BASE}/c/{STEM}/{position}"


@pytest.mark.parametrize(
    "written",
    [
        '<a href="{}">x</a>',
        "<a href='{}'>x</a>",
        "<a href={}>x</a>",
        "<A HREF={}\n>x</A>",
        '<a\n class="b"  href = "{}" \n>x</a>',
        '<map><area href="{}" alt="x"></map>',
        '<!--[if mso]><v:roundrect href="{}" style="height:40px"><w:anchorlock/>x</v:roundrect><![endif]-->',
        "<!--[if gte mso 9]><A Href='{}'>x</A><![endif]-->",
        '<![if !mso]><a href="{}">x</a><![endif]>',
        '<!--[if !mso]><!--><a href="{}">x</a><!--<![endif]-->',
        '<table><tr><td><a href="{}"><img src="cid:a" alt="x"></a></table>',
        '<a href="{}">unclosed',
        '{{% if first_name %}}<a href="{}">x</a>{{% endif %}}',
        '<p>&copy; &lt;ä <a href="{}" title="&quot;">x</a>\r\n<p>&nbsp',
    ],
)
def test_forms_of_links(written: str) -> None:
    written = written.replace("{%", "{{%").replace("%}", "%}}") if "{{%" not in written else written
    url = "https://shop.example/a?b=1"
    # Templates have LF at the end of each line.
    expected = (
        written.format(click(1)).replace("\r\n", "\n").replace("{% if first_name %}", "").replace("{% endif %}", "")
    )
    assert html_of(written.format(url), first_name="Ann") == expected


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:ann@example.com">x</a>',
        '<a href="tel:+15550100">x</a>',
        '<a href="sms:+15550100">x</a>',
        '<a href="#top">x</a>',
        '<a href="">x</a>',
        "<a href>x</a>",
        "<a name=x>x</a>",
        '<a href="cid:part">x</a>',
        '<a href="data:text/html,x">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="relative/page">x</a>',
        '<a href="https://lists.shop.example/soap/u/1.x">x</a>',
        '<a href="https://lists.shop.example/soap">x</a>',
        '<a href="https://t.shop.example/c/abc/1">x</a>',
        '<a href="https://www.partner.example/">x</a>',
        '<link href="https://shop.example/a.css">',
        '<form action="https://shop.example/"></form>',
        '<!-- <a href="https://shop.example/">x</a> -->',
        '<style>a { b: url("https://shop.example/") } </style>',
        "<script>'<a href=\"https://shop.example/\">x</a>'</script>",
        '<textarea><a href="https://shop.example/">x</a></textarea>',
        '<v:rect href="https://shop.example/"></v:rect>',
        '<span title="<a href=https://shop.example/>">x</span>',
        # Its text is the address of another owner: mail programs would warn.
        '<a href="https://other.example/sale">https://www.other.example/sale</a>',
        # Its host is in the recipient's hands.
        '<a href="{{ first_name }}">x</a>',
        '<a href="https://{{ first_name }}/">x</a>',
        # The condition begins in the address and ends outside.
        '{% if first_name %}<a href="https://shop.example/{% else %}<a href="https://shop.example/2{% endif %}">x</a>',
    ],
)
def test_what_is_no_tracked_link(html: str) -> None:
    plain = Content(message(html)).render({"first_name": "evil.example"}).html
    assert html_of(html, first_name="evil.example") == plain
    assert tracked(html, "-", first_name="evil.example")[1] == []


def test_links_of_the_server_stay() -> None:
    html = '<a href="{{ Unsubscribe_Link }}">x</a><a href="{{ browser_link }}">x</a>'
    links: Any = {"unsubscribe_link": "https://shop.example/u/1", "browser_link": "https://shop.example/m/1"}
    assert html_of(html, **links) == Content(message(html)).render(links).html


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a data-track="off" href="https://a.example">x</a>', '<a href="https://a.example">x</a>'),
        ('<a href="https://a.example" data-track="off">x</a>', '<a href="https://a.example">x</a>'),
        ("<a href='https://a.example'\n  DATA-Track = off>x</a>", "<a href='https://a.example'>x</a>"),
        ("<a data-track='OFF'href=\"https://a.example\">x</a>", '<a href="https://a.example">x</a>'),
        ('<a data-track="off"/>', "<a/>"),
        ('<area data-track="off" href="https://a.example">', '<area href="https://a.example">'),
        ('<p data-track="off">', '<p data-track="off">'),
        (
            '<!--[if mso]><v:rect href="https://a.example" data-track="off"/><![endif]-->',
            '<!--[if mso]><v:rect href="https://a.example"/><![endif]-->',
        ),
    ],
)
def test_links_that_their_author_leaves_untracked(html: str, expected: str) -> None:
    assert html_of(html) == expected


def test_targets_are_those_of_browsers() -> None:
    """Undelimited references are decoded before `_` and `-`, and not before `=`, letters and digits."""
    html = '<a href=" https://a.example/?x=1&copy=2&reg_id=5&amp;y=&#228;&notin1&para;\n">x</a>'
    (link,) = tracked(html, "-")[1]
    assert link.url == "https://a.example/?x=1&copy=2®_id=5&y=ä&notin1¶"
    assert link.target == "https://a.example/?x=1&copy=2%C2%AE_id=5&y=%C3%A4&notin1%C2%B6"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?x=1&reg_id=5", ["&reg_id"]),
        ("?x=1&copy-to=2&reg_id=5&reg_id=6", ["&copy-to", "&reg_id"]),
        ("?x=1&amp;reg_id=5", []),
        ("?x=1&copy=2&copyright=3&notin1", []),
        ("?x=1&#174_id=5&reg;_id", []),
        ("/&reg_id", []),
    ],
)
def test_references_that_readers_take_in_two_ways(query: str, expected: list[str]) -> None:
    """lk-107: browsers decode them without a semicolon, some webmails do not."""
    html = f'<p title="?&reg_x">&reg_y<a href="https://a.example/{query}">x</a>'
    assert undelimited_in_links(html) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "?n=%7B%7B%20City%20%7D%7D&amp;e=%7b%7bEmail%7Curlencode%7d%7d",
            ["%7B%7B%20City%20%7D%7D", "%7b%7bEmail%7Curlencode%7d%7d"],
        ),
        ("?n=%7B%7BCity%7D%7D&amp;c=%7B%7BCity%7D%7D", ["%7B%7BCity%7D%7D"]),
        ("?n={{ City }}%7BCity%7D", []),
        ("?n=%7B%7B%7D%7D", []),
        ("?n=%7B%7BCity", []),
    ],
)
def test_merge_tags_that_a_program_has_encoded(source: str, expected: list[str]) -> None:
    """Programs that put style sheets into elements write addresses so, by libxml2 and others."""
    assert encoded_merge_tags(f'<a href="https://a.example/{source}">x</a>') == expected


def test_words_of_links() -> None:
    """lk-111: the text, for images the alternative text, else the title."""
    html = (
        '<a href="https://a.example/1" title=" A\n title ">Buy <b>now</b>,\n {{ First_Name }} &amp; co</a>'
        '<a href="https://a.example/2" title="T"><img src="cid:x" alt="A shoe"></a>'
        '<a href="https://a.example/3" title="T"><img src="cid:x"></a>'
        '<a href="https://a.example/4"></a>'
        f'<a href="https://a.example/5">{"x" * 300}</a>'
        '<area href="https://a.example/6" alt="North">'
    )
    links = tracked(html, "See https://a.example/7")[1]
    assert [(link.body, link.url[-1], link.description, link.label) for link in links] == [
        ("html", "1", "Buy now, {{ First_Name }} & co", "A title"),
        ("html", "2", "A shoe", "T"),
        ("html", "3", "T", "T"),
        ("html", "4", "", ""),
        ("html", "5", "x" * LONGEST_TEXT, ""),
        ("html", "6", "North", "North"),
        ("plain", "7", "https://a.example/7", ""),
    ]


@pytest.mark.parametrize(
    ("text", "is_tracked"),
    [
        ("https://www.shop.example/sale", True),
        ("https://other.example/sale", False),
        (" HTTPS://other.example ", False),
        ("other.example/sale", True),
        ("Visit https://other.example now", True),
        ("https://{{ first_name }}/", False),
    ],
)
def test_texts_that_are_addresses(text: str, is_tracked: bool) -> None:
    html = f'<a href="https://other.example/sale">{text}</a>'
    assert bool(tracked(html, "-")[1]) is is_tracked
    never = LinkRules(base=BASE, visible_urls=False)
    assert bool(tracked(html, "-", never)[1]) is not text.strip().lower().startswith("http")
    assert tracked(html, "-", LinkRules(base=BASE, visible_urls=True))[1]


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ("See https://a.example/b, or not.", f"See {click(1)}, or not."),
        ("(https://a.example/b)", f"({click(1)})"),
        ("<https://a.example/b>", f"<{click(1)}>"),
        ("https://a.example/b! https://a.example/c?", f"{click(1)}! {click(2)}?"),
        ("HTTP://A.example/b*\nx", f"{click(1)}*\nx"),
        ("https://a.example/wiki/A_(b) (https://a.example/c_(d))", f"{click(1)} ({click(2)})"),
        ('"https://a.example/b"', f'"{click(1)}"'),
        (
            "mailto:ann@example.com www.a.example ftp://a.example",
            "mailto:ann@example.com www.a.example ftp://a.example",
        ),
        ("https:// https://, http://lists.shop.example", "https:// https://, http://lists.shop.example"),
        ("https://lists.shop.example/soap/u/1 {{ unsubscribe_link }}", "https://lists.shop.example/soap/u/1 "),
        ("{% if a %}https://a.example/1{% else %}https://a.example/2{% endif %}.", f"{click(2)}."),
        ("https://a.example/1{% if b %} more{% endif %}", f"{click(1)}"),
        ("{% raw %}https://a.example/{{ x }}{% endraw %}", f"{click(1)} x }}}}"),
    ],
)
def test_addresses_in_texts(plain: str, expected: str) -> None:
    rendered, links = tracked("", plain)
    if "lists.shop.example," not in plain and "http://lists" in plain:
        assert rendered.plain == plain.replace("http://lists.shop.example", click(1))
    else:
        assert rendered.plain == expected
    assert all(link.body == "plain" for link in links)


def test_a_text_made_of_the_html_has_links_of_its_own() -> None:
    rendered, links = tracked('<p>Hello <a href="https://a.example/b">there</a></p>')
    assert rendered.plain == f"Hello there ({click(2)})\n"
    assert [link.body for link in links] == ["html", "plain"]
    assert [link.url for link in links] == ["https://a.example/b"] * 2


def test_addresses_with_merge_fields_carry_their_target() -> None:
    html = '<a href="https://a.example/?n={{ First_Name }}&amp;e={{ email|urlencode }}&copy=1">x</a>'
    rendered, (link, text) = tracked(
        html, 'https://a.example/{{ field["First Name"] }}!', first_name="Ann & Öz <x>", email="a@b"
    )
    assert link == TrackedLink(
        body="html",
        url="https://a.example/?n={{ First_Name }}&e={{ email|urlencode }}&copy=1",
        target="https://a.example/?n={{ First_Name }}&e={{ email|urlencode }}&copy=1",
        label="",
        description="x",
        is_dynamic=True,
    )
    match = re.fullmatch(rf'<a href="{BASE}/c/{STEM}/1/([^"/]*)">x</a>{re.escape(PIXELS)}', rendered.html or "")
    assert match is not None
    assert STEMS.read_target(STEM, 1, match[1]) == "https://a.example/?n=Ann%20&%20%C3%96z%20%3Cx%3E&e=a%40b&copy=1"
    assert text.is_dynamic
    address = rendered.plain.removesuffix("!").rpartition("/")
    assert address[0] == f"{BASE}/c/{STEM}/2"
    assert STEMS.read_target(STEM, 2, address[2]) == "https://a.example/"


@pytest.mark.parametrize(
    ("address", "value", "target"),
    [
        ("https://a.example{{ x }}", "/b", "https://a.example/b"),
        ("https://a.example{{ x }}", ".evil.example/", None),
        ("https://a.example{{ x }}", "@evil.example/", None),
        ("https://a.example{{ x }}", ":b@evil.example/", None),
        ("https://a.example/{{ x }}", "../../\\evil.example", "https://a.example/../..//evil.example"),
        ("https://a.example/{{ x }}", "a\x00b", None),
        ("https://a.example/{{ x }}", "x" * 3000, None),
        ("{% if x %}https://a.example/1{% else %}https://b.example/2{% endif %}", "", "https://b.example/2"),
        ("{% if x %}https://a.example/1{% else %}https://b.example/2{% endif %}", "x", "https://a.example/1"),
        ("{% if x %}mailto:a@example.com{% else %}https://b.example/2{% endif %}", "x", None),
        ("{{ x }}https://a.example/", "https://evil.example/?", None),
        ("{{ x }}?u=https://a.example/", "https://evil.example/", None),
        ("https://www.partner.example/{{ x }}", "a", None),
        ("https://a.example/{{ x }}", '"><script>', "https://a.example/%22%3E%3Cscript%3E"),
    ],
)
def test_recipients_do_not_choose_the_host(address: str, value: str, target: str | None) -> None:
    """A signed link leads to a host that the author wrote, or the author's address is left as it is."""
    html = f'<a href="{address}">x</a>'
    written = html_of(html, x=value)
    segment = re.search(rf'{BASE}/c/{STEM}/1/([^"]*)"', written)
    if target is None:
        assert written == Content(message(html)).render({"x": value}).html
    else:
        assert segment is not None
        assert STEMS.read_target(STEM, 1, segment[1]) == target


def test_conditions_between_attributes() -> None:
    html = '<a {% if x %}href="https://a.example/1"{% else %}href="https://a.example/2"{% endif %}>x</a>'
    assert html_of(html, x="1") == f'<a href="{click(1)}">x</a>'
    assert html_of(html) == f'<a href="{click(2)}">x</a>'


def test_tags_that_take_white_space_away_are_left() -> None:
    html = "<a href={{ x -}} id=1>x</a><a href=https://a.example/{{ x -}} id=1>x</a>"
    assert html_of(html, x="y") == Content(message(html)).render({"x": "y"}).html


def test_no_author_may_sign_addresses() -> None:
    for html, plain in (
        ("<p>{% filter tracked_link(1) %}https://evil.example{% endfilter %}", ""),
        ("", "{% filter upper %}a{% endfilter %}"),
    ):
        with pytest.raises(InvalidMessage, match="may not use"):
            TrackedMessage(message(html, plain), RULES)
    for expression in ('"https://evil.example"|tracked_link(1)', '"x"|default("y"|tracked_link(1))'):
        with pytest.raises(InvalidMessage, match="may not use"):
            tracked(f"<p>{{{{ {expression} }}}}</p>", "-")


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<html><body><p>x</p></body></html>", "</body></html>"),
        ("<p>x", ""),
        ("<p>x</p><!-- no end", "<!-- no end"),
        ("<body>x{% if x %}</body>{% endif %}", ""),
        ("<p>x{% if x %}<!-- {% endif %}y", "{% if x %}<!-- {% endif %}y"),
        ('<p>x</p><!--[if mso]><a href="https://a.example">x</a></body><![endif]--></body>', "</body>"),
    ],
)
def test_pixels_stand_where_every_reader_has_them(html: str, before: str) -> None:
    found = TrackedMessage(message(html, "-"), RULES)
    rewritten = found.rewritten([None] * len(found.links), STEM, pixels=("o", "r"))
    assert rewritten.html == html[: len(html) - len(before)] + PIXELS + before
    assert rewritten.plain == "-"
    assert found.rewritten([None] * len(found.links), STEM, pixels=()).html == html


def test_a_message_of_text_has_no_pixels() -> None:
    assert tracked("", "Hello\n")[0].plain == "Hello\n"


def test_analytics() -> None:
    """lk-42, lk-103: the target has the parameters, the author's address is reported."""
    rules = LinkRules(base=BASE, domains=["shop.example"], parameters={"utm_source": "News", "utm_campaign": "Spring"})
    html = (
        '<a href="https://www.shop.example/?utm_source=x#y">x</a><a href="https://myshop.example/">x</a>'
        '<a href="https://shop.example/{{ x }}">x</a>'
    )
    rendered, links = tracked(html, "-", rules, x="?a=1")
    assert [(link.url, link.target) for link in links[:2]] == [
        ("https://www.shop.example/?utm_source=x#y", "https://www.shop.example/?utm_source=x&utm_campaign=Spring#y"),
        ("https://myshop.example/", "https://myshop.example/"),
    ]
    segment = re.search(rf'{BASE}/c/{STEM}/3/([^"]*)"', rendered.html or "")
    assert segment is not None
    target = STEMS.read_target(STEM, 3, segment[1])
    assert target == "https://shop.example/?a=1&utm_source=News&utm_campaign=Spring"


def test_the_number_of_links_has_a_bound() -> None:
    html = "".join(f"<a href=https://a.example/{number}>x</a>" for number in range(MOST_LINKS + 1))
    written, links = tracked(html, "https://a.example/")
    assert len(links) == MOST_LINKS
    assert f"<a href=https://a.example/{MOST_LINKS}>x</a>" in (written.html or "")
    assert written.plain == "https://a.example/"


# --- bodies of all kinds -------------------------------------------------------------------------------------------


def body(seed: int) -> tuple[str, str, list[tuple[str, str]]]:
    """An HTML body and a text with marks in place of addresses, and these: mark → address as written."""
    chance = random.Random(seed)
    addresses: list[tuple[str, str]] = []

    def address(quote: str) -> str:
        letters = ["/", "x", "-", "%20", "=", "~"] + ["(", ")"] * (quote != "text")
        host = chance.choice(["a.example", "www.b.example", "c.example:8080", "d.example"])
        path = "".join(chance.choice(letters) for _ in range(chance.randrange(6)))
        query = "".join(chance.choice(["&copy=1", "&amp;y=2", "&reg_id=5", ";z"]) for _ in range(chance.randrange(4)))
        value = f"{chance.choice(['https', 'HTTP'])}://{host}/{path}x?a=1{query}"
        if chance.random() < 0.2:
            value += "&n={{ First_Name }}" + chance.choice(["", "&e={{ email }}"])
        addresses.append((f"\ue000{len(addresses)}\ue001", value if quote != "text" else value.replace("&amp;", "&")))
        return addresses[-1][0]

    def link() -> str:
        quote = chance.choice(["'", '"', ""])
        name = chance.choice(["href", "HREF", "hReF"])
        space = chance.choice(["", " ", "\n"])
        extra = chance.choice(["", ' class="x"', " id=y", "\ttitle='&quot;z&quot;'"])
        inner = chance.choice(
            ["Buy", "<b>Büy &amp; more</b>", '<img alt="A shoe" src=cid:x>', "{{ First_Name }}", "日本"]
        )
        tag = chance.choice(["a", "A"])
        return f"<{tag}{extra} {name}{space}={space}{quote}{address(quote)}{quote}{extra and ' '}>{inner}</{tag}>"

    def other() -> str:
        return chance.choice(
            [
                "<p>Hello {{ First_Name }},\r\n",
                "<table border=0><tr><td>x</td></tr></table>\n",
                "{% if email %}<p>yes</p>{% else %}<p>no</p>{% endif %}",
                "<style>p { color: red }</style>",
                "<!-- a comment <a href='https://no.example'> -->",
                '<a href="mailto:ann@example.com">mail</a>',
                "<p>" + "long " * 80 + "é</p>\n",
                "<p>&copy 2026 &nbsp; <br/>\n",
                "日本語" * 20,
                '<img src="https://img.example/a.png" alt="x">',
                "{% raw %}{{ not_a_field }}{% endraw %}",
                "<![if !mso]><p>x</p><![endif]>",
            ]
        )

    def vml() -> str:
        inside = address("double")
        return f"<!--[if mso]><v:roundrect href=\"{inside}\" arcsize='8%'>x</v:roundrect><![endif]-->"

    pieces = [chance.choices([link, other, vml], [4, 5, 1])[0]() for _ in range(chance.randrange(1, 25))]
    html = "".join(pieces)
    if chance.random() < 0.6:
        html = f"<html><body>{html}</body></html>"
    lines = []
    for _ in range(chance.randrange(6)):
        after = chance.choice(["", ".", ", and", ")", "!", ">"])
        lines.append(chance.choice(["Hello {{ First_Name }}, é", "", f"See {address('text')}{after}"]))
        if not lines[-1].startswith("See"):
            addresses.pop()
    return html, "\n".join([*lines, "-"]), addresses


def filled(source: str, addresses: Sequence[tuple[str, str]]) -> str:
    for mark, address in addresses:
        source = source.replace(mark, address)
    return source


@pytest.mark.parametrize("seed", range(200))
def test_mails_differ_in_addresses_and_pixels_only(seed: int) -> None:
    html, plain, addresses = body(seed)
    values: Any = {"first_name": "Zoë & <b>", "email": "zoe@example.org"}
    untracked = Content(message(filled(html, addresses), filled(plain, addresses))).render(values)
    mail, links = tracked(filled(html, addresses), filled(plain, addresses), **values)
    assert len(links) == len(addresses)
    assert mail.html is not None
    assert mail.html.count(PIXELS) == 1
    written = mail.html.replace(PIXELS, "") + "\0" + mail.plain
    original = (untracked.html or "") + "\0" + untracked.plain
    # Put each merged address back where its tracked one stands; then all octets are the same.
    place = re.compile(rf"{BASE}/c/{STEM}/([0-9]+)(?:/([\w-]+\.[0-9a-f]{{16}}))?")
    # One template of all addresses takes much less time than one of each.
    every = "|".join(["", *(address for _, address in addresses), ""])
    rendered = Content(message(every, every)).render(values)
    merged, in_html = rendered.plain.split("|")[1:-1], (rendered.html or "").split("|")[1:-1]
    back = {}
    for position, (link, (_, address)) in enumerate(zip(links, addresses, strict=True), 1):
        assert link.is_dynamic is ("{{" in address)
        back[position] = in_html[position - 1] if link.body == "html" else merged[position - 1]
    assert sorted(int(match[1]) for match in place.finditer(written)) == list(range(1, len(links) + 1))
    assert place.sub(lambda match: back[int(match[1])], written) == original
