"""The checksum in a file of tensors.

Torch's files are ZIP archives, and a ZIP archive may end with a comment. Here it is the SHA-256 of
all bytes before it, so that the file is still one that ``torch.load`` reads, and no second file
could get out of step with it.
"""

from __future__ import annotations

import hashlib
from typing import Literal

_WORD = b"sha256 "
_LENGTH = len(_WORD) + 64
#: How the last record of an archive begins, and how long it is where there is no comment.
_END = b"PK\x05\x06"
_END_LENGTH = 22

#: Whether the bytes are those that were written; "none" where no checksum is found.
Seal = Literal["whole", "broken", "none"]


def sealed(content: bytes) -> bytes:
    """A file with its checksum.

    Args:
        content: a ZIP archive without a comment.
    """
    assert content[-_END_LENGTH:].startswith(_END), "no ZIP archive"
    body = content[:-2] + _LENGTH.to_bytes(2, "little")
    return body + _comment(body)


def seal_of(content: bytes) -> Seal:
    """Whether a file is as it was written.

    Args:
        content: all of the file.
    """
    body, comment = content[:-_LENGTH], content[-_LENGTH:]
    if not comment.startswith(_WORD):
        return "none"
    return "whole" if comment == _comment(body) else "broken"


def _comment(body: bytes) -> bytes:
    return _WORD + hashlib.sha256(body).hexdigest().encode()
