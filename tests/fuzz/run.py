"""Fuzz one target for so many seconds: ``python tests/fuzz/run.py TARGET SECONDS``.

Coverage leads the way where atheris is installed; elsewhere Hypothesis mutates the seeds,
and says so. Ends with 0 when every outcome was a documented one; else the bytes that broke
it are printed, ready to become a seed.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

try:
    import atheris
except ModuleNotFoundError:
    atheris = None

PLACES = {
    "handshake": ("fuzz.targets", "handshake"),
    "frames": ("fuzz.targets", "frames"),
    "commands": ("fuzz.targets", "commands"),
    "node": ("fuzz.node", "attack"),
    "planted": ("fuzz.planted", "find_me"),
}
"""Target → where it is. ``planted`` has a fault, to see that one is found."""
LONGEST = 8192
"""bytes of one input"""
OURS = ["gogate_trio", "fuzz", "h11", "wsproto"]
"""What coverage is measured in."""

TRIES = 300
"""inputs between two looks at the clock, where Hypothesis makes them"""

Target = Callable[[bytes], None]


def main(name: str, seconds: int) -> None:
    """Fuzz a target, with the better of the two engines."""
    seeds = importlib.import_module("fuzz.seeds").SEEDS.get(name, (b"",))
    if atheris is None:
        say(f"{name}: hypothesis's mutations only, for atheris is not installed")
        mutate(load(name), seeds, seconds)
        return
    say(f"{name}: atheris")
    with atheris.instrument_imports(include=OURS):
        target = load(name)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=20"]
        atheris.Setup([sys.argv[0], corpus, *limits, f"-artifact_prefix={corpus}/"], target)
        atheris.Fuzz()


def say(line: str) -> None:
    """Print a line before the engine, which writes past us, prints more."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def load(name: str) -> Target:
    """The function of a target."""
    module, function = PLACES[name]
    return getattr(importlib.import_module(module), function)


def mutate(target: Target, seeds: tuple[bytes, ...], seconds: int) -> None:
    """Try what is near the seeds, and anything else, until the time is over."""
    edits = st.lists(
        st.tuples(st.integers(0, LONGEST), st.integers(0, 40), st.binary(max_size=40)), max_size=6
    )
    inputs = st.binary(max_size=300) | st.builds(edited, st.sampled_from(seeds), edits)
    calm = settings(
        max_examples=TRIES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    tries, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        seed(tries)(calm(given(inputs)(target)))()
        tries += 1
    say(f"{tries * TRIES} inputs, none of them broke it")


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes with pieces of them replaced."""
    for place, length, piece in edits:
        at = place % (len(data) + 1)
        data = data[:at] + piece + data[at + length :]
    return data


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
