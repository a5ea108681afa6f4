"""What ``gogate drain`` makes of a node that does not answer. The rest is in ``e2e``."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from fakes.secrets import KEY
from gogate_trio import departure
from gogate_trio.config import InternalSettings, Secret
from gogate_trio.errors import OperatorError
from gogate_trio.internal.api.shapes import Draining
from gogate_trio.remote import NobodyThereError, Remote, SilentError


def overview(connections):
    """What a node shows of itself, as far as it matters."""
    node = SimpleNamespace(id="a", started=1, connections=connections)
    return SimpleNamespace(node=node)


class Node:
    """Answers as it is told, one after the other; the last for ever."""

    def __init__(self, *answers):
        self.answers = [overview(7), Draining("a", 1, 7, 0.3), *answers]

    def ask(self, *_):
        """Say the next one."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No long looks."""
    monkeypatch.setattr(departure, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(departure, "BEYOND_SECONDS", 0.1)


def test_a_node_that_is_too_busy_to_answer_is_not_gone(capsys):
    """It is asked again, until nobody listens there any more."""
    departure.drain(Node(SilentError("x"), overview(3), NobodyThereError("x")), wait=True)

    assert capsys.readouterr().out.splitlines()[1:] == ["3 connections left", "a is gone"]


def test_a_node_that_hangs_is_said_to_hang(capsys):
    """And not that it is gone."""
    with pytest.raises(OperatorError, match="does not end"):
        departure.drain(Node(SilentError("x")), wait=True)

    assert "gone" not in capsys.readouterr().out


def test_who_listens_and_does_not_answer_is_somebody(monkeypatch):
    """A socket whose queue takes us in and whose process does nothing."""
    monkeypatch.setattr("gogate_trio.remote.PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = SimpleNamespace(
            internal=InternalSettings(port=silent.getsockname()[1]),
            internal_api_keys=(Secret(KEY),),
        )
        with pytest.raises(SilentError, match="does not answer"):
            Remote(settings).ask("GET", "/overview", Draining)
