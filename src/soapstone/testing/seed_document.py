"""Seed documents as they come in: YAML, or JSON, which is YAML too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from soapstone.testing.errors import UnusableSeed
from soapstone.testing.seed import Seed

LARGEST_DOCUMENT = 32 << 20
NEEDS_EXTRA = (
    "YAML needs the package's extra: install it as soapstone[testing], in a checkout as '.[testing]'. JSON needs none."
)


def read_seed(path: Path) -> Seed:
    """Read a seed from a file. Raises UnusableSeed, whose message does not name the file."""
    try:
        if path.stat().st_size > LARGEST_DOCUMENT:
            raise UnusableSeed(f"It is larger than {LARGEST_DOCUMENT} bytes.")
        text = path.read_bytes()
    except OSError as trouble:
        raise UnusableSeed(f"{trouble.strerror}.") from None
    try:
        document = json.loads(text) if path.suffix == ".json" else parsed(text)
        if not isinstance(document, dict):
            raise UnusableSeed("A seed has members, such as accounts; this has none.")
        return Seed.model_validate(document)
    except ValidationError as trouble:
        told = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in trouble.errors(include_url=False))
        raise UnusableSeed("\n".join(told)) from None
    except ValueError as trouble:
        raise UnusableSeed(f"It is no JSON: {trouble}.") from None


def parsed(text: bytes) -> Any:
    """Return what a YAML document holds. Raises UnusableSeed."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise UnusableSeed(NEEDS_EXTRA) from None

    class Loader(yaml.SafeLoader):
        """Takes dates for texts, as the document has them, and no member twice.

        It takes no aliases: a few lines could stand for any size.
        """

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise UnusableSeed(f"line {mark.line + 1}: aliases are not taken.")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if isinstance(key.value, str) and key.value in seen:
                    raise UnusableSeed(f"line {key.start_mark.line + 1}: {key.value} stands there twice.")
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a safe one
    except yaml.MarkedYAMLError as trouble:
        mark = trouble.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UnusableSeed(f"{place}{trouble.problem or 'no YAML'}.") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise UnusableSeed("The document is no YAML.") from None
