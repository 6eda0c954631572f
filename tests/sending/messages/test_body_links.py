"""Links that a list wants are in every body where its readers see them (lk-38)."""

from __future__ import annotations

import pytest

from soapstone.sending.messages.content import Content, with_links
from soapstone.sending.messages.html_reader import EndTag, HtmlReader, StartTag, Text
from soapstone.sending.messages.message import Draft, Parts
from soapstone.sending.messages.template import Template

WANTED = {"removal_link": True}
ADDED = '<hr><p><a href="{{ Unsubscribe_Link }}">Unsubscribe</a></p>'
LINK = '<a href="{{ Unsubscribe_Link }}">out</a>'


def html_of(html: str) -> str:
    return with_links(Draft(subject="s", html=html), WANTED).html


def seen(parts: Parts, values: dict[str, str]) -> list[int]:
    """How often a reader of the HTML body and of the text body of a mail meets the link."""
    url = "https://news.example.com/u/1.x"
    rendered = Content(parts).render({**values, "unsubscribe_link": url})
    hidden, links = 0, 0
    for token in HtmlReader(rendered.html or ""):
        if isinstance(token, StartTag | EndTag) and token.name in ("title", "style", "script", "template"):
            hidden += 1 if isinstance(token, StartTag) else -1
        elif hidden:
            continue
        elif isinstance(token, StartTag):
            links += token.name == "a" and token.value("href") == url
        elif isinstance(token, Text):
            links += url in token.text
    return [links, rendered.plain.count(url)]


@pytest.mark.parametrize(
    ("html", "plain", "expected"),
    [
        ("<p>Hi</p>", "Hi", [1, 1]),
        (f"<p>Hi</p>{LINK}", "Hi", [1, 1]),
        ("<p>Hi</p>", "Out: {{ Unsubscribe_Link }}", [1, 1]),
        (LINK, "Out: {{ Unsubscribe_Link }}", [1, 1]),
        ("<p>Hi</p>", "", [1, 1]),
        (LINK, "", [1, 1]),
        ("<map><area href='{{ Unsubscribe_Link }}' alt=out></map>", "", [0, 1]),
        ("<p>{{ field['unsubscribe_link'] | e }}</p>", "", [1, 1]),
    ],
)
def test_each_body_has_the_link_once(html: str, plain: str, expected: list[int]) -> None:
    """Whichever body the author put it into; a text body made of the HTML body has the link of that one."""
    assert seen(with_links(Draft(subject="s", html=html, plain=plain), WANTED), {}) == expected


@pytest.mark.parametrize(
    "html",
    [
        "<!-- {{ Unsubscribe_Link }} --><p>Hi</p>",
        "<style>/* {{ Unsubscribe_Link }} */</style>Hi",
        "<script>'{{ Unsubscribe_Link }}'</script>Hi",
        "<title>{{ Unsubscribe_Link }}</title>Hi",
        "<template>{{ Unsubscribe_Link }}</template>Hi",
        "<p title='{{ Unsubscribe_Link }}'>Hi</p>",
        "<img src='{{ Unsubscribe_Link }}'>Hi",
        "<link href='{{ Unsubscribe_Link }}'>Hi",
        "<a href='{{ Unsubscribe_Link }}'> </a>Hi",
        "<a {{ Unsubscribe_Link }}>Hi</a>",
        "<!-- <a href='{{ Unsubscribe_Link }}'>x</a> -->Hi",
        "{% if City %}<a href='{{ Unsubscribe_Link }}'>out</a>{% endif %}",
        "{% if City %}{{ Unsubscribe_Link }}{% elif State %}{{ Unsubscribe_Link }}{% endif %}",
        "{% if City %}{{ Unsubscribe_Link }}{% elif State %}-{% else %}{{ Unsubscribe_Link }}{% endif %}",
        "{{ City or Unsubscribe_Link }}",
        "{{ Unsubscribe_Link if City else '' }}",
        "{{ 'yes' if Unsubscribe_Link else 'no' }}",
        "{% raw %}{{ Unsubscribe_Link }}{% endraw %}",
    ],
)
def test_a_link_that_not_every_reader_sees_does_not_count(html: str) -> None:
    assert html_of(html) == html + ADDED


@pytest.mark.parametrize(
    "html",
    [
        "{% if City %}{{ Unsubscribe_Link }}{% elif State %}"
        "{{ Unsubscribe_Link }}{% else %}{{ Unsubscribe_Link }}{% endif %}",
        "<table>{% if City %}<tr><td>a{% endif %}<tr><td><a href='{{ Unsubscribe_Link }}'><img src=x></a></table>",
        "<a {% if City %}class=x{% endif %} href='https://go.example.com/{{ Unsubscribe_Link | urlencode }}'>out</a>",
        "{{ Unsubscribe_Link or City }}",
        "<style>p{}</style><title>t</title>{{ Unsubscribe_Link }}",
    ],
)
def test_a_link_that_every_reader_sees_counts(html: str) -> None:
    assert html_of(html) == html


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p>Hi</p>", "</body></html>"),
        ("<p>Hi</p>", "</BODY\n>\n</html>"),
        ("<p>Hi</p>", ""),
        ("<!-- </body> --><p>Hi</p>", "</body>"),
        ("<script>'</body>'</script><p>Hi</p>", "</body>"),
        ("<p title='</body>'>Hi</p>", "</body>"),
        ("{{ '</body>' }}<p>Hi</p>", "</body>"),
        ("<p>Hi</p>", "<!-- no end </body>"),
        ("<p>Hi</p>", "<style>p{} </body>"),
        ("<p>Hi</p>", "<textarea></body>"),
        ("<p>Hi</p>", "<template></body>"),
        ("<p>Hi</p>", "<a href='</body>"),
        ("{% if City %}a</body>{% else %}b</body>{% endif %}", ""),
        ("<p>Hi</p>", "{% if City %}<!-- {% endif %}</body>"),
    ],
)
def test_the_link_stands_before_the_end_of_the_body(before: str, after: str) -> None:
    """Not before what looks like the end in a comment, script or attribute, and not in what has no end."""
    assert html_of(before + after) == before + ADDED + after
    for city in ("", "Rome"):
        assert seen(with_links(Draft(subject="s", html=before + after), WANTED), {"city": city}) == [1, 1]


def test_line_ends_are_kept_beside_what_is_added() -> None:
    assert html_of("a\r\n{% if City %}b{% endif %}\r\n</body>\r\n") == (
        "a\r\n{% if City %}b{% endif %}\r\n" + ADDED + "</body>\r\n"
    )


@pytest.mark.parametrize(
    "plain", ["{% if City %}{{ Unsubscribe_Link }}{% endif %}", "{% raw %}{{ Unsubscribe_Link }}{% endraw %}"]
)
def test_a_text_body_has_the_link_whatever_applies(plain: str) -> None:
    made = with_links(Draft(subject="s", plain=plain), WANTED).plain
    assert (
        Template(made, "text").render({"city": "", "unsubscribe_link": "LINK"}).endswith("\n-- \nTo unsubscribe: LINK")
    )


def test_what_one_body_wants_is_looked_for_in_that_body() -> None:
    draft = Draft(subject="s", html="{{ Browser_Link }}", plain="Hi")
    made = with_links(draft, {}, {"html": ["browser_link"], "plain": ["browser_link"]})
    assert made.html == draft.html
    assert made.plain == "Hi\n\n-- \nRead this message in a browser: {{ Browser_Link }}"
