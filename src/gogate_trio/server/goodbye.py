"""The goodbye of one connection: what waits, the last words, and a clean end of the stream."""

from __future__ import annotations

import trio

from gogate_trio.outbox import Outbox
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.events import error_of
from gogate_trio.protocol.frames import close_frame, text_frame
from gogate_trio.server.farewell import see_off
from gogate_trio.server.tlswire import TlsWire
from gogate_trio.server.wire import Wire


async def say_goodbye(
    outbox: Outbox,
    stream: trio.abc.Stream,
    hangup: Hangup,
    *,
    written: trio.Event,
    patience: float,
) -> None:
    """Write what waits and the last words; then see the peer off.

    ``written`` is set by the connection's writer when it is done. Who has taken nothing for
    ``patience`` seconds is cut, and the seconds before the hang-up count: nobody gets them twice.
    There is nothing to say to one that is lost.
    """
    if hangup is close.LOST:
        return
    outbox.finish(last_words(hangup), drop_waiting=hangup is close.SLOW_CONSUMER)
    if outbox.is_waiting:
        with trio.move_on_at(outbox.progress_at + patience) as flushing:
            await written.wait()
        if flushing.cancelled_caught:
            if isinstance(stream, Wire | TlsWire):
                stream.abort()
            return
    await see_off(stream)


def last_words(hangup: Hangup) -> tuple[bytes, ...]:
    """Return the frames that say why: an error event, where there is one, and the close frame."""
    words = []
    if hangup.refusal is not None:
        words.append(text_frame(encode_event(error_of(hangup.refusal))))
    if hangup.code != close.SILENT:
        words.append(close_frame(hangup.code, hangup.text))
    return tuple(words)
