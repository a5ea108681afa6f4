"""Laws of ``docs/limits.md``: it has every limit there is, and a proof of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import limits_doc
from gogate_trio import limits
from limits_rows import INSIDE, MET

TESTS = Path(__file__).parent
REAL_SOCKETS = ("server/", "e2e/")
"""Where tests talk to a gateway through a socket."""


def test_every_limit_has_a_row_and_every_row_a_limit():
    """Who adds a limit says what a client sees of it, in ``limits_rows``, and proves it."""
    assert {*MET, *INSIDE} == set(limits_doc.all_limits())
    assert not {*MET} & {*INSIDE}


def test_every_limit_says_what_it_counts():
    """A number without its reason beside it is none of ours."""
    fixed = [one for one in limits_doc.all_limits().values() if not one.is_setting]
    constants = {name for name in vars(limits) if name.isupper()}

    assert all(one.about.endswith(".") for one in limits_doc.all_limits().values())
    assert {one.name for one in fixed} <= constants
    assert len(fixed) > 50


@pytest.mark.parametrize(("name", "row"), MET.items())
def test_what_a_client_can_meet_is_met_by_a_test_through_a_socket(name, row):
    """The test exists, by its name, in a room whose tests use real sockets."""
    assert row.proof.startswith(REAL_SOCKETS), name
    assert row.sees
    assert exists(row.proof)


@pytest.mark.parametrize(("name", "proof"), INSIDE.items())
def test_what_is_inside_has_a_test_too(name, proof):
    """The test exists, by its name."""
    assert exists(proof), name


def test_a_proof_that_is_gone_would_be_noticed():
    """Neither a wrong name nor half a name is a test."""
    assert not exists("test_limits_doc.py::test_of_nothing")
    assert not exists("test_limits_doc.py::test_a_proof")
    assert not exists("no_such_file.py::test_a_proof_that_is_gone_would_be_noticed")


def test_the_document_is_what_the_code_says():
    """Write it anew with ``python tests/limits_doc.py``."""
    assert limits_doc.DOCUMENT.read_text() == limits_doc.document()


def exists(proof):
    """Whether there is a test function of this name in this file."""
    file, _, name = proof.partition("::")
    path = TESTS / file
    return path.exists() and bool(
        re.search(rf"^(async )?def {re.escape(name)}\(", path.read_text(), re.MULTILINE)
    )
