"""Laws of the fuzzing itself; a short search is in ``tests/e2e``, a long one is ``nox -s fuzz``."""

from __future__ import annotations

import pytest

from fuzz.run import PLACES, edited, load, mutate
from fuzz.seeds import SEEDS

CASES = [(name, seed) for name in ("handshake", "frames", "commands") for seed in SEEDS[name]]


def test_every_target_has_seeds():
    """A search from nothing would stay at the door."""
    assert set(PLACES) == {*SEEDS, "planted"}


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_every_seed_has_a_documented_outcome(name, seed):
    """What once broke a target is a seed of it."""
    load(name)(seed)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("handshake", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("frames", b"\x03\x81\x82\x00\x00\x00\x00hi"),
        ("commands", b'{"event":"typing","data":{"chat_id":1,"is_typing":true}}'),
    ],
)
def test_a_broken_outcome_would_be_noticed(monkeypatch, name, broken):
    """Each target fails when what it looks at is not as documented."""
    target = load(name)
    monkeypatch.setattr("fuzz.targets.STATUSES", set())
    monkeypatch.setattr("fuzz.targets.render", lambda *_, **__: b"HTTP/1.1 299 Odd\r\n\r\n")
    monkeypatch.setattr("fuzz.targets.MAX_ID", 0)
    monkeypatch.setattr("fuzz.targets.MAX_MESSAGE", 1)
    monkeypatch.setattr("fuzz.targets.ENDS", set())

    with pytest.raises(AssertionError):
        target(broken)


def test_mutations_find_what_is_near_a_seed():
    """The engine where atheris is not installed: it changes the seeds, and says what broke."""

    def target(data):
        assert data == b"hello" or not data.startswith(b"hell")

    with pytest.raises(AssertionError):
        mutate(target, (b"hello",), seconds=20)


def test_edits_replace_pieces():
    """Anywhere, also at the end."""
    assert edited(b"hello", [(1, 3, b"-")]) == b"h-o"
    assert edited(b"hello", [(5, 9, b"!")]) == b"hello!"
