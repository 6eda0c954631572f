"""Write the licences of the distributions of this interpreter's environment to standard output, Soapstone's own aside.

Run it by the Python of the environment that is passed on, such as that of the container image. It needs nothing but the
standard library. The texts are those that the distributions bring; none is kept in this repository.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions
from pathlib import PurePosixPath

OWN = "soapstone"
# Names of files with licences and notices, where the metadata does not name them.
NAMES = ("licen", "copying", "notice", "authors")


def licence(found: Distribution) -> str:
    """Return what the metadata says of the licence, in the best of its three ways."""
    data = found.metadata
    classifiers = [line.split(" :: ")[-1] for line in data.get_all("Classifier") or [] if line.startswith("License ::")]
    older = [text.split("\n")[0] for text in data.get_all("License") or []]
    return next(iter(data.get_all("License-Expression") or []), "") or ", ".join(classifiers) or ", ".join(older)


def texts(found: Distribution) -> list[tuple[str, str]]:
    """Return name and text of each file with a licence that the distribution has beside its metadata."""
    named = {PurePosixPath(name).name for name in found.metadata.get_all("License-File") or []}
    pairs = []
    for path in sorted(found.files or [], key=str):
        beside = any(part.endswith(".dist-info") for part in path.parts[:-1])
        if beside and (path.name in named or path.name.lower().startswith(NAMES)):
            pairs.append((path.name, path.read_text(encoding="utf-8").strip()))
    return pairs


def notices() -> str:
    """Return the whole text. Exit with a message when a distribution says nothing of its licence."""
    found = {each.name.lower(): each for each in distributions() if each.name.lower() != OWN}
    parts = ["Third-party software that is distributed with Soapstone, with its licences."]
    for _, each in sorted(found.items()):
        if not licence(each):
            sys.exit(f"{each.name} {each.version} says nothing of its licence.")
        parts.append(f"{'=' * 80}\n{each.name} {each.version}\nLicence: {licence(each)}")
        parts += [f"--- {name}\n\n{text}" for name, text in texts(each)] or ["(The distribution brings no text.)"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(notices())
