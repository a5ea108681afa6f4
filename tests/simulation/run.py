"""Seeds by the thousand: ``nox -s simulate -- --seeds 100000``, on all processors.

    python tests/simulation/run.py --seeds 1000 --from 0
    python tests/simulation/run.py --story 4711

Ends with status 1 and the story of the first seed that breaks a law. The same seed happens
the same way again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation.world import Verdict, simulate


def main() -> int:
    """Run the seeds that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first one")
    parser.add_argument("--story", type=int, help="tell what happens in this one, and no other")
    asked = parser.parse_args()
    if asked.story is not None:
        verdict = simulate(asked.story)
        _say(verdict.story())
        return 1 if verdict.breaches else 0
    return _search(range(asked.first, asked.first + asked.seeds))


def _search(seeds: range) -> int:
    began = time.monotonic()
    with Pool(os.cpu_count()) as processes:
        for done, story in enumerate(processes.imap_unordered(_story_of, seeds), 1):
            if story:
                _say(story)
                return 1
            if done % 1000 == 0:
                _say(f"{done} seeds in {time.monotonic() - began:.0f} s")
    _say(f"{len(seeds)} seeds, nothing found, {time.monotonic() - began:.0f} s")
    return 0


def _story_of(seed: int) -> str:
    verdict: Verdict = simulate(seed)
    return verdict.story() if verdict.breaches else ""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
