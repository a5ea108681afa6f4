"""A gateway that is broken on purpose: ``python broken.py FAULT serve``.

A judge that finds nothing in the town of such a one would find nothing at all.
"""

from __future__ import annotations

import sys
from itertools import count

from gogate_trio.cli import main
from gogate_trio.hub import Hub

EVERY = 40
"""Which of the messages is treated otherwise: no reaction, whose place nobody disputes."""

_accept, _accept_nowait = Hub.accept, Hub.accept_nowait
_numbers = count(1)
_held = []


def _is_message(publication):
    return b'"new_message"' in publication.text


def _is_due(publication):
    return _is_message(publication) and next(_numbers) % EVERY == 0


def _have_wait(hub, publication):
    """Nothing durable goes past the fault."""
    return not publication.is_durable and _accept_nowait(hub, publication)


async def _lose(hub, publication):
    """One is forgotten."""
    if not _is_due(publication):
        await _accept(hub, publication)


async def _repeat(hub, publication):
    """One comes twice."""
    await _accept(hub, publication)
    if _is_due(publication):
        await _accept(hub, publication)


async def _swap(hub, publication):
    """One comes behind the next one of its chat."""
    if not _held and _is_due(publication):
        _held.append(publication)
        return
    await _accept(hub, publication)
    if _held and _is_message(publication) and _held[0].chat_id == publication.chat_id:
        held = _held.pop()
        publication.offset, held.offset = held.offset, publication.offset
        await _accept(hub, held)


FAULTS = {"lose": _lose, "repeat": _repeat, "swap": _swap}

if __name__ == "__main__":
    Hub.accept, Hub.accept_nowait = FAULTS[sys.argv.pop(1)], _have_wait
    sys.exit(main())
