"""A file that is left to the next process: whole or not at all, once, and nobody else's."""

from __future__ import annotations

import os

import pytest

from gogate_trio.statefile import StateFile, UnusableError

DATA = b"what one process leaves to the next" * 1000


@pytest.fixture
def file(tmp_path):
    """A file in a directory of its own."""
    return StateFile(tmp_path)


def test_what_was_left_is_taken_once(file, tmp_path):
    """It is private, and gone before it is used: a crash later does not bring it back."""
    assert file.take() is None
    file.put(b"older")
    file.put(DATA)
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600

    assert file.take() == DATA
    assert list(tmp_path.iterdir()) == []
    assert file.take() is None


def foreign(path, how):
    """Put something there that this user's gateway has not written like this."""
    content = path.read_bytes()
    path.unlink()
    match how:
        case "another format":
            path.write_bytes(b"gogate-state 2\n" + content[15:])
        case "damaged":
            path.write_bytes(content[:-1])
        case "open to others":
            path.write_bytes(content)
        case "no regular file":
            os.mkfifo(path, 0o600)
        case "too big":
            with path.open("wb") as file:
                file.truncate(1 << 40)
    path.chmod(0o640 if how == "open to others" else 0o600)


@pytest.mark.parametrize(
    "how", ["another format", "damaged", "open to others", "no regular file", "too big"]
)
def test_what_is_foreign_or_damaged_is_not_taken(file, tmp_path, how):
    """It says why, in the same words each time."""
    file.put(DATA)
    foreign(tmp_path / "state", how)

    with pytest.raises(UnusableError, match=how):
        file.take()


def test_what_another_user_wrote_is_not_taken(file, monkeypatch):
    """A directory that was shared by mistake lets nobody put words into our mouth."""
    file.put(DATA)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(UnusableError, match="another user's"):
        file.take()


def test_a_link_is_not_followed(file, tmp_path):
    """Neither for reading nor for writing."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"untouched")
    (tmp_path / "state").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic link"):
        file.take()
    (tmp_path / "state.draft").symlink_to(secret)

    file.put(DATA)

    assert secret.read_bytes() == b"untouched"
    assert file.take() == DATA


def test_what_cannot_be_removed_is_not_used(file, monkeypatch):
    """Or a crash later would bring it back."""
    file.put(DATA)

    def refuse(*_args, **_kwargs):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)

    with pytest.raises(PermissionError):
        file.take()


def test_a_full_disk_leaves_what_was_there_and_no_draft(file, tmp_path, monkeypatch):
    """Half a file is never found under the name."""
    file.put(b"older")

    def refuse(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space left"):
            file.put(DATA)

    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    assert file.take() == b"older"


def test_the_last_process_is_known_by_name(file):
    """Whoever comes writes its own over it."""
    assert file.owner() == ""
    file.own("first")
    file.own("second")

    assert file.owner() == "second"
