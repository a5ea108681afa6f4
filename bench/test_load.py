"""What the load generator must notice: a benchmark that cannot find a fault proves nothing.

pytest bench/test_load.py
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

import scenarios
import tools
from lineup import Launch, Peer
from trial import run_trial

# Two chats of ten, so that there is a stranger; a rate, so that a lost delivery stops nothing;
# opened one by one, so that the twentieth delivery is always the same.
SMALL = replace(
    scenarios.SMOKE,
    work="message",
    clients=20,
    chat_size=10,
    chats=2,
    lanes=2,
    rate=200,
    seconds=0.3,
    warmup=0.1,
    window=1,
)


def liar(fault: str) -> Peer:
    """The floor with a fault."""
    script = str(tools.HERE / "peers" / "liar.py")
    command = [sys.executable, script]
    shape = ["20", "10", fault]
    return Peer("liar", fault, lambda around, _: Launch([*command, str(around.port), *shape]))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss is known after half a second without progress, not five."""
    monkeypatch.setattr("trial.STALL_SECONDS", 0.5)


def test_an_honest_server_has_no_faults() -> None:
    """Everything that arrives in order, once and whole counts as delivered and as nothing else."""
    result = run_trial(liar("none"), SMALL)

    assert result["finished"]
    assert result["deliveries"] == result["messages"] * 10 > 0
    for name in ("lost", "again_or_late", "misdirected", "invalid_json", "unexpected", "closed"):
        assert result[name] == 0, name


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        ("drop", {"lost": 1}),
        ("twice", {"again_or_late": 1}),
        ("swap", {"lost": 1, "again_or_late": 1}),
        ("join", {"invalid_json": 1, "lost": 2}),
        ("stranger", {"misdirected": 1}),
        ("cut", {"invalid_json": 1, "lost": 1}),
        ("alter", {"unexpected": 1, "lost": 1}),
        ("close", {"closed": 1}),
    ],
)
def test_a_fault_is_counted(fault: str, counts: dict[str, int]) -> None:
    """One wrong delivery among many shows in the counter of its kind."""
    result = run_trial(liar(fault), SMALL)

    assert {name: result[name] for name in counts} == counts


@pytest.mark.parametrize("speakers", [1, 10])
def test_speakers_take_turns_in_all_chats_of_their_group(speakers: int) -> None:
    """Whoever speaks, in whichever of four chats: each delivery is the one that had to come."""
    scenario = replace(SMALL, chats=4, lanes=1, rate=0, speakers=speakers, every_chat=True)
    result = run_trial(liar("none"), scenario)

    assert result["finished"]
    assert result["deliveries"] == result["messages"] * 10 > 0
    assert result["lost"] == result["unexpected"] == result["misdirected"] == 0
