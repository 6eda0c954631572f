"""Files that were encoded in base64 twice (lk-72)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from soapstone.store.blobs import Blobs, Upload

# A multiple of four, so that each block but the last decodes by itself.
BLOCK = 1 << 20
_TEXT = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_LINE_BREAKS = b"\r\n"


def unwrapped(blobs: Blobs, upload: Upload, delimiter: str) -> Upload:
    """Return the upload, decoded if it has no delimiter and, ignoring line breaks, is valid base64.

    The upload must be closed; it is discarded if a decoded one replaces it.
    """
    if upload.size == 0 or not _is_base64(upload, delimiter.encode()):
        return upload
    decoded = blobs.new()
    try:
        for block in _blocks(upload):
            decoded.write(base64.b64decode(block, validate=True))
    except binascii.Error:
        decoded.discard()
        return upload
    decoded.close()
    upload.discard()
    return decoded


def _is_base64(upload: Upload, delimiter: bytes) -> bool:
    size, ended = 0, False
    for block in _blocks(upload):
        # Padding must be at the end of the text.
        if ended or not _TEXT.fullmatch(block) or delimiter in block:
            return False
        size += len(block)
        ended = block.endswith(b"=")
    return size > 0 and size % 4 == 0


def _blocks(upload: Upload) -> Iterator[bytes]:
    """Yield the text without line breaks, in blocks of a multiple of four bytes but for the last one."""
    rest = b""
    with upload.path.open("rb") as file:
        while block := file.read(BLOCK):
            text = rest + block.translate(None, _LINE_BREAKS)
            cut = len(text) & ~3
            if cut:
                yield text[:cut]
            rest = text[cut:]
    if rest:
        yield rest
