"""A fault that only a working fuzzer finds: each byte of the word must be learnt by itself."""

from __future__ import annotations


def find_me(data: bytes) -> None:
    """Break when the data begins with the word."""
    found = 0
    for byte, letter in zip(data, b"gog!", strict=False):
        if byte != letter:
            return
        found += 1
    assert found < 4, "planted"
