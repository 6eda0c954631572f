"""Template texts with merge tags replaced by marks, so that tag contents are not parsed as text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from copy import copy
from typing import Self

from soapstone.sending.messages.template import MergeTag, merge_tags

# Merge tag number 3 in a marked text. The characters are none of any text, and no source is read with them in it.
MARK = re.compile("\ufdd0([0-9]+)\ufdd1")
# Stands for each character of a merge tag where places in the text are those in the source.
FILL = "\ufdd2"
UNUSED = {ord(character): "\ufffd" for character in f"\ufdd0\ufdd1{FILL}"}


def mark(number: int) -> str:
    """Return the mark of a merge tag."""
    return f"\ufdd0{number}\ufdd1"


class MarkedText:
    """A source with its merge tags; without `template` it has none. Raises InvalidMessage if it is no template."""

    def __init__(self, source: str, *, template: bool = True) -> None:
        self.source = source
        self.merge_tags: list[MergeTag] = merge_tags(source) if template else []
        self._starts = [tag.start for tag in self.merge_tags]
        pieces: list[str] = []
        position = 0
        for tag in self.merge_tags:
            pieces += (source[position : tag.start].translate(UNUSED), FILL * (tag.end - tag.start))
            position = tag.end
        # The source with the same places.
        self._filled = "".join((*pieces, source[position:].translate(UNUSED)))

    @property
    def filled(self) -> str:
        """The source with FILL in place of each character of its merge tags."""
        return self._filled

    def part(self, start: int, end: int) -> Self:
        """Return a part of the source, with places of its own. It begins and ends outside of merge tags."""
        part = copy(self)
        part.source, part._filled = self.source[start:end], self._filled[start:end]
        tags = [self.merge_tags[number] for number in self.numbers(start, end)]
        part.merge_tags = [tag._replace(start=tag.start - start, end=tag.end - start) for tag in tags]
        part._starts = [tag.start for tag in part.merge_tags]
        return part

    def marked(self, start: int = 0, end: int | None = None, change: Callable[[str], str] = str) -> str:
        """Return a part of the source with marks for its merge tags; `change` is done to the texts between them."""
        end = len(self.source) if end is None else end
        pieces: list[str] = []
        for number in self.numbers(start, end):
            tag = self.merge_tags[number]
            pieces.append(change(self._filled[start : tag.start]))
            if tag.text:
                pieces.append(mark(number))
            start = tag.end
        pieces.append(change(self._filled[start:end]))
        return "".join(pieces)

    def numbers(self, start: int, end: int) -> range:
        """Return the numbers of the merge tags in a part of the source."""
        return range(bisect_left(self._starts, start), bisect_left(self._starts, end))

    def restored(self, text: str, change: Callable[[str], str] = str) -> str:
        """Return a marked text with its merge tags as written; `change` is done to the texts between them."""
        pieces = MARK.split(text)
        return "".join(
            self.merge_tags[int(piece)].text if index % 2 else change(piece) for index, piece in enumerate(pieces)
        )

    def tags_in(self, text: str) -> list[MergeTag]:
        """Return the merge tags whose marks are in a text."""
        return [self.merge_tags[int(number)] for number in MARK.findall(text)]
