"""A glance for bytes without a documented outcome; ``nox -s fuzz`` takes its time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fuzz.run

RUNNER = Path(fuzz.run.__file__)
SECONDS = 5
"""of search; a planted fault is found within one or two"""
PATIENCE = 120
"""seconds for a search to begin and to end on a busy machine"""


def search(target, folder, seconds=SECONDS):
    """The status and the output of a search in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(RUNNER), target, str(seconds)],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


@pytest.mark.parametrize("target", ["handshake", "frames", "commands", "node"])
def test_no_bytes_have_an_outcome_that_is_not_documented(target, tmp_path):
    """Whatever a stranger sends: an answer of the protocol, the end, and nothing else."""
    status, output = search(target, tmp_path)
    sys.stdout.write(output.splitlines()[0])  # which engine it was

    assert status == 0, output[-5000:]
    assert "Done " in output or "none of them broke it" in output


@pytest.mark.skipif(fuzz.run.atheris is None, reason="only coverage finds it")
def test_the_search_finds_a_planted_fault(tmp_path):
    """Four bytes in a row that only coverage leads to: the search is not blind."""
    status, output = search("planted", tmp_path, seconds=PATIENCE)

    assert status != 0
    assert "planted" in output
