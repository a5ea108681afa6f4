"""Audiences between nodes: a few bytes a member, and equal ones the same object.

The hub keeps what it derives from an audience by the object's identity and joins what goes
to one object; a publisher gives the same object for the same list. Both sides therefore
remember what they have packed and unpacked lately.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

import msgspec

from gogate_trio.ids import MAX_ID, UserId
from gogate_trio.limits import AUDIENCE_USERS, KEPT_AUDIENCE_BYTES, KEPT_AUDIENCES

Audience = Mapping[UserId, str]

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[int])


class Audiences:
    """Packs and unpacks audiences: sorted ids, each as its distance from the one before."""

    def __init__(self) -> None:
        self._packed: OrderedDict[int, tuple[Audience, bytes]] = OrderedDict()
        """By the audience's identity; it is kept, so that its id cannot be another's."""
        self._packed_size = 0
        """bytes of these, packed"""
        self._unpacked: OrderedDict[bytes, Audience] = OrderedDict()
        self._unpacked_size = 0
        """bytes of these, packed"""

    def __len__(self) -> int:
        """Return how many audiences are kept."""
        return len(self._packed) + len(self._unpacked)

    def encode(self, audience: Audience) -> bytes:
        """Return the ids of an audience; their names stay here."""
        found = self._packed.get(id(audience))
        if found is not None:
            self._packed.move_to_end(id(audience))
            return found[1]
        users = sorted(audience)
        data = _ENCODER.encode([b - a for a, b in zip([0, *users], users, strict=False)])
        self._packed[id(audience)] = audience, data
        self._packed_size += len(data)
        # A list that changes is another object each time; the old ones would fill the memory.
        while len(self._packed) > KEPT_AUDIENCES or self._packed_size > KEPT_AUDIENCE_BYTES:
            _, (_, gone) = self._packed.popitem(last=False)
            self._packed_size -= len(gone)
        return data

    def decode(self, data: bytes) -> Audience | None:
        """Return the audience, its names empty: the same object for the same bytes. Or None."""
        found = self._unpacked.get(data)
        if found is not None:
            self._unpacked.move_to_end(data)
            return found
        audience = _read(data)
        if audience is None:
            return None
        self._unpacked[data] = audience
        self._unpacked_size += len(data)
        while len(self._unpacked) > KEPT_AUDIENCES or self._unpacked_size > KEPT_AUDIENCE_BYTES:
            gone, _ = self._unpacked.popitem(last=False)
            self._unpacked_size -= len(gone)
        return audience


def _read(data: bytes) -> Audience | None:
    try:
        steps = _DECODER.decode(data)
    except msgspec.DecodeError:
        return None
    if len(steps) > AUDIENCE_USERS or any(step < 1 for step in steps):
        return None
    audience = dict.fromkeys(map(UserId, accumulate(steps)), "")
    return None if steps and sum(steps) > MAX_ID else audience
