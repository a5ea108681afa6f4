"""What ``gogate check`` says about the internal port."""

from __future__ import annotations

import pytest

from fakes.settings import backend_settings
from gogate_trio.check import State, review
from gogate_trio.config import InternalSettings, Settings


def finding(**internal):
    """What is found about the port; None when nothing is said."""
    settings = Settings(
        backend=backend_settings("http://127.0.0.1:1"), internal=InternalSettings(**internal)
    )
    return {one.name: one for one in review(settings)}.get("INTERNAL_PORT")


def test_a_port_that_is_off_is_no_finding():
    """The default needs no word."""
    assert finding() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_a_port_of_this_machine_alone_is_well(host):
    """And the line says where the pages are."""
    found = finding(host=host, port=9090)

    assert found.state is State.OK
    assert f"{host}:9090" in found.detail


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.7", "metrics.example"])
def test_a_port_that_others_reach_is_a_warning(host):
    """Nobody is asked for a key there, so the operator is told what that means."""
    found = finding(host=host, port=9090)

    assert found.state is State.WARNING
    assert "INTERNAL_HOST" in found.advice
