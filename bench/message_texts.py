"""What the worst texts of messages cost at their bounds (docs/limits.md): seconds of CPU, and memory in MB.

Each text is stored, checked for a send, searched for links, merged and written once, in a process of its own.

    python bench/message_texts.py
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from time import process_time

from markupsafe import Markup

from soapstone.sending.messages.content import Content, check_storable, with_links
from soapstone.sending.messages.hyperlinks import hyperlinks
from soapstone.sending.messages.message import (
    LONGEST_BODY,
    MOST_FILTERED,
    MOST_MARKUP,
    MOST_MERGED,
    MOST_SIGNS,
    MOST_TAGS,
    Draft,
    InvalidMessage,
)
from soapstone.sending.messages.unsubscribe_link import NoUnsubscribeLinkError, check_link

SETTINGS = {"removal_link": True, "browser_link": True}
VALUE = "a" * (MOST_MERGED // 4)


def _html(unit: str, most: int) -> Draft:
    """An HTML body of one thing, as often as the bounds allow."""
    return Draft(subject="s", html=unit * min(most, LONGEST_BODY // len(unit)))


# Name → the message, and the value of its field `a`.
TEXTS: dict[str, tuple[Callable[[], Draft], str]] = {
    "a newsletter of 500 kB, 200 tags": (
        lambda: _html('<tr><td class="x" width="3">' + "Some words. " * 200 + "{{ a }}&nbsp;</td></tr>\n", 200),
        "Ann",
    ),
    "tags": (lambda: _html("<a>", MOST_MARKUP), ""),
    "links": (lambda: _html('<a href="x">y', MOST_MARKUP // 3), ""),
    "lines": (lambda: _html("a<p>b<br>", MOST_MARKUP // 2), ""),
    "attributes": (lambda: Draft(subject="s", html="<a " + "b=c " * (MOST_MARKUP - 5)), ""),
    "different attributes": (
        lambda: Draft(subject="s", html="<a " + " ".join(f"b{n}" for n in range(MOST_MARKUP - 5)) + ">"),
        "",
    ),
    "references": (lambda: _html("&Aacute", MOST_MARKUP), ""),
    "words": (lambda: _html("a ", LONGEST_BODY), ""),
    "wide words": (lambda: _html("\U0001f600 ", LONGEST_BODY), ""),
    "braces": (lambda: _html("{", LONGEST_BODY), ""),
    "raw braces": (lambda: Draft(subject="s", html="{% raw %}" + "{{ " * (LONGEST_BODY // 3 - 9) + "{% endraw %}"), ""),
    "merge tags": (lambda: _html("{{a}}", MOST_TAGS), "b"),
    "choices": (lambda: _html("{{ a " + "if a else (a " * 24 + ")" * 24 + "}}", MOST_SIGNS // 200), "b"),
    "fallbacks": (lambda: _html("{{ " + " or ".join(["a"] * 40) + "}}", MOST_SIGNS // 79), "b"),
    "filters": (lambda: _html("{{ a" + "|e" * 40 + "}}", MOST_SIGNS // 81), "b"),
    "conditions": (
        lambda: Draft(subject="s", html="{% if a %}" + "{% elif a %}" * (MOST_TAGS - 2) + "{% endif %}"),
        "b",
    ),
    "nested conditions": (lambda: _html("{% if a %}" * 50 + "{% endif %}" * 50, MOST_TAGS // 100), "b"),
    "addresses in a text": (lambda: Draft(subject="s", plain="http://a " * (LONGEST_BODY // 9)), ""),
    "long values": (lambda: _html("{{ a }}", 4), VALUE),
    "values to be escaped": (lambda: _html("{{ a }}", MOST_TAGS), '"' * MOST_MERGED),
    "values to be quoted": (lambda: _html("{{ a|urlencode }}", 1), "\U0001f600" * (MOST_FILTERED // 8)),
    "filtered values": (
        lambda: _html("{% if a|title %}{% endif %}", MOST_TAGS // 2),
        "a " * (MOST_FILTERED // MOST_TAGS),
    ),
    "compared values": (lambda: _html("{% if a == field['b'] %}{% endif %}", MOST_TAGS // 2), VALUE),
    "wide values": (lambda: _html("{{ a }}", 1), "\U0001f600" * (MOST_MERGED // 2)),
    "HTML values": (lambda: _html("{{ a }}", 1), Markup("<b c=d>" * (MOST_MARKUP // 3))),
}

STEPS = ("store", "check", "links", "merge")


def _stored(draft: Draft) -> None:
    check_storable(draft)
    Content(draft)


def _checked(draft: Draft) -> None:
    check_storable(draft)
    Content(draft)
    with suppress(NoUnsubscribeLinkError):
        check_link(draft, SETTINGS, list_id=1, has_links=True)


def _merged(draft: Draft, value: str) -> Callable[[], None]:
    content = Content(with_links(draft, SETTINGS), has_links=True)
    plain, html = content.bodies(draft.charset)

    def merge() -> None:
        merged = content.merge({"a": value, "b": value})
        written = plain.write(merged.plain), html.write(merged.html) if html and merged.html is not None else b""
        b"".join(written)

    return merge


def costs(name: str) -> list[tuple[float, float, str]]:
    """What each step takes with a text."""
    return [cost(name, step) for step in STEPS]


def cost(name: str, step: str) -> tuple[float, float, str]:
    """Seconds of CPU, and megabytes beyond the steps before, that a step takes with a text; and why it was refused."""
    make, value = TEXTS[name]
    draft = make()
    work = {
        "store": lambda: _stored(draft),
        "check": lambda: _checked(draft),
        "links": lambda: hyperlinks(draft, None),
    }
    refused = ""
    # Whatever is loaded once.
    _checked(Draft(subject="s", html="<p>&amp;{{ a }}"))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
    try:
        do = work[step] if step in work else _merged(draft, value)
        if step == "merge":
            before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
        do()
    except InvalidMessage as error:
        refused = str(error)
    seconds = process_time() - began
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, refused


def main() -> None:
    """Print a line for each text, and the highest figures."""
    print(f"{'':34}" + "".join(f"{step:>16}" for step in STEPS))
    highest = [0.0, 0.0]
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in TEXTS:
            line, reasons = f"{name:34}", set()
            for seconds, megabytes, refused in processes.submit(costs, name).result():
                highest = [max(highest[0], seconds), max(highest[1], megabytes)]
                line += f"{seconds:7.2f} s{megabytes:4.0f} MB"
                reasons.add(refused)
            print(line, *filter(None, reasons), flush=True)
    print(f"at most {highest[0]:.2f} s and {highest[1]:.0f} MB")


if __name__ == "__main__":
    main()
