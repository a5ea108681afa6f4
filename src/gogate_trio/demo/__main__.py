"""``python -m gogate_trio.demo``: the embedded backend alone, for a gateway in another container.

Its settings are the gateway's own, where they mean something to a backend: ``HOST``, ``PORT``,
``INTERNAL_API_KEY``, ``BACKEND_DIALECT`` and those of the log. It answers to the name in
``HOST`` and keeps everything in memory.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import Final, NoReturn

import trio

from gogate_trio import log
from gogate_trio.config import ConfigError, Settings
from gogate_trio.demo.backend import serve
from gogate_trio.demo.store import Store, open_store
from gogate_trio.errors import OperatorError

LOOPBACK: Final = "127.0.0.1"
"""Where it listens when nothing is said: its tokens are for the asking."""

_log = log.get_logger("gogate_trio.demo")


def main() -> NoReturn:
    """Run the backend until SIGTERM or SIGINT; the status is 1 when it could not start."""
    failures: list[BaseException] = []
    try:
        settings = Settings.load(os.environ, None)
        log.configure(settings.log, node=settings.cluster.name)
        with open_store(None) as store:
            trio.run(run, settings, store)
    except* (ConfigError, OperatorError) as group:
        failures += group.exceptions
    sys.exit("\n".join(f"gogate: {_reason(each)}" for each in failures) or 0)


async def run(settings: Settings, store: Store) -> None:
    """Serve until a signal."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as serving:
            url = await serving.start(
                partial(
                    serve,
                    store,
                    dialect=settings.backend.dialect,
                    internal_api_key=settings.backend.internal_api_key.reveal(),
                    host=settings.listen.host or LOOPBACK,
                    port=settings.listen.port,
                )
            )
            _log.info("backend_serving", url=url)
            await anext(aiter(signals))
            serving.cancel_scope.cancel()
    _log.info("backend_stopped")


def _reason(error: BaseException) -> str:
    """Return the text of the one error in a group within a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


if __name__ == "__main__":
    main()
