"""What commands print by: tables and texts for a terminal. Servers start without it, as it is slow to load."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from soapstone.commands.common import printable


class _Console(Console):
    """Prints user text literally: never as markup, emoji or control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


# A pipe has no width of its own; tables there are not folded to a terminal's.
console = _Console(width=None if sys.stdout.isatty() else 200, markup=False, emoji=False, highlight=False)
