"""A file that one process leaves to the next: written whole or not at all, read once.

It is private to its user, and a process that was followed by another leaves nothing: beside
it stands the name of the process that came last.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from gogate_trio.limits import STATE_BYTES

_HEADER: Final = b"gogate-state 1\n"
"""names the format: another one is somebody else's file, or another release's"""

_DIGEST_BYTES: Final = 32
_NAME_BYTES: Final = 64
_PRIVATE: Final = 0o600


class UnusableError(Exception):
    """The file is no good; the text says why, in constant words."""

    def __init__(self, reason: str, code: str) -> None:
        """``code`` is the reason's short name."""
        super().__init__(reason)
        self.code = code


class StateFile:
    """One file in a directory of ours. All methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "state"
        self._owner = folder / "owner"

    def take(self) -> bytes | None:
        """Return what was left, and remove it; None when nothing was.

        Raises ``UnusableError`` when it is foreign or damaged, ``OSError`` when it cannot be
        read or removed: what could not be removed must not be used, or it would be used twice.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            _inspect(os.fstat(descriptor))
            self._path.unlink()
            self._settle()
            content = file.read(STATE_BYTES + 1)
        return _opened(content)

    def put(self, data: bytes) -> None:
        """Leave this, in place of whatever was left before. Raises ``OSError``."""
        digest = hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
        self._write(self._path, _HEADER + digest + data)

    def owner(self) -> str:
        """Return the name of the process that came last; empty when there was none."""
        try:
            with self._owner.open("rb") as file:
                return file.read(_NAME_BYTES).decode("ascii", "replace")
        except FileNotFoundError:
            return ""

    def own(self, name: str) -> None:
        """Say that the process of this name is the last. Raises ``OSError``."""
        self._write(self._owner, name.encode())

    def _write(self, path: Path, content: bytes) -> None:
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(draft, flags, _PRIVATE), "wb") as file:  # noqa: PTH123 - as above
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        self._settle()

    def _settle(self) -> None:
        """Have the directory itself written, so that a power cut undoes nothing."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _inspect(found: os.stat_result) -> None:
    """Refuse what this user has not written, or what others could have."""
    if not stat.S_ISREG(found.st_mode):
        raise UnusableError("no regular file", "unsafe")
    if found.st_uid != os.geteuid():
        raise UnusableError("another user's", "unsafe")
    if stat.S_IMODE(found.st_mode) & ~_PRIVATE:
        raise UnusableError("open to others", "unsafe")
    if found.st_size > STATE_BYTES:
        raise UnusableError("too big", "too_big")


def _opened(content: bytes) -> bytes:
    start = len(_HEADER) + _DIGEST_BYTES
    if not content.startswith(_HEADER):
        raise UnusableError("another format", "format")
    data = content[start:]
    digest = hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
    if digest != content[len(_HEADER) : start]:
        raise UnusableError("damaged", "damaged")
    return data
