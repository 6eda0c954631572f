"""Names, headings and subjects are printed as they are: no markup, no emoji names, nothing that a terminal obeys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.commands.test_commands import Run, ready, run

from soapstone.commands.common import printable
from soapstone.commands.output import console

__all__ = ["ready", "run"]

NAME = "[/x] News [bold]x[/bold] :smile: [link=https://a.example]"
CONTROLS = "\x1b[31mred\x1b]0;title\x07\x9b"
SHOWN = "\ufffd[31mred\ufffd]0;title\ufffd\ufffd"


def test_names_in_tables(ready: Run) -> None:
    for name in (NAME, CONTROLS):
        ready("list", "create", name, "--from-address", "news@example.com")
        ready("category", "add", name)
        ready("event", "add", name, "--list", "1")
        ready("token", "create", "ann", name)
    for command in (["list", "list"], ["category", "list"], ["event", "list", "--list", "1"], ["token", "list", "ann"]):
        output = ready(*command).output
        assert NAME in output
        assert SHOWN in output
        assert "\x1b" not in output


@pytest.mark.parametrize("heading", ["Note [/]", NAME, CONTROLS])
def test_headings_of_files(ready: Run, tmp_path: Path, heading: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f'Email,First Name,"{heading}"\nann@example.com,Ann,x\n')
    done = ready("import", str(file), "--list", "1")
    assert "1 good" in done.output
    assert "\x1b" not in done.output
    assert "\x1b" not in ready("jobs", "show", "1").output


def test_subjects_of_messages(ready: Run, tmp_path: Path) -> None:
    body = tmp_path / "body.txt"
    body.write_text("Hello [/] you")
    words = ["--name", NAME, "--subject", f"{NAME} [{{{{ Email }}}}]", "--text", str(body)]
    ready("message", "add", "--list", "1", *words)
    assert NAME in ready("message", "list").output
    shown = ready("message", "show", "1").output
    assert f"{NAME} [{{{{ Email }}}}]" in shown
    assert "Hello [/] you" in shown


# The console writes spaces for a tab.
@given(st.text(st.characters(exclude_characters="\t")))
def test_any_text_is_printed_whole(text: str) -> None:
    """Only control characters are replaced; the console neither takes text out nor fails."""
    with console.capture() as captured:
        console.print(text, soft_wrap=True, end="")
    assert captured.get() == printable(text)


def test_tabs_and_lines_stay() -> None:
    assert printable("a\tb\nc\rd\x00") == "a\tb\nc\ufffdd\ufffd"
