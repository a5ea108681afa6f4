"""What SIGHUP does: the settings are read again, and those that can change, change.

All or nothing: one mistake anywhere, and everything stays as it is. What cannot change while
the process runs is named in the log, as often as it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from gogate_trio import log
from gogate_trio.assembly import Node, paces
from gogate_trio.backend.rest import RestBackend
from gogate_trio.config import ConfigError, Settings, differences, with_values_of
from gogate_trio.internal.api.keys import ApiKeys
from gogate_trio.server.capacity import find_caps
from gogate_trio.server.listener import Server

_log = log.get_logger(__name__)

_NEW: Final = "for new connections"
_NEXT: Final = "from the next of them on"
_AT_ONCE: Final = "at once"

RELOADED: Final = {
    "INTERNAL_API_KEY": "from the next call on, in both directions",
    "INTERNAL_API_KEY_FILE": "the file it names is read",
    "BACKEND_TIMEOUT": "from the next call on",
    "BACKEND_QUEUE": "for calls that come; who waits stays",
    "MAX_MESSAGE_SIZE": _NEW,
    "READ_BUFFER_SIZE": _NEW,
    "WRITE_BUFFER_SIZE": "for connections that fall behind",
    "PING_PERIOD": _AT_ONCE,
    "PONG_WAIT": _AT_ONCE,
    "WRITE_WAIT": _AT_ONCE,
    "AUTH_TIMEOUT": _NEW,
    "AUTH_COOKIE": _NEW,
    "AUTH_CONCURRENCY": _AT_ONCE,
    "TOKEN_GRACE": "for tokens that come",
    "TOKEN_RECHECK": "from the next recheck of a token on",
    "MAX_CONNECTIONS": "for those who come; nobody is sent away",
    "MAX_UNAUTHENTICATED": "for those who come; nobody is sent away",
    "MAX_CONNECTIONS_PER_IP": "for those who come; nobody is sent away",
    "MAX_CONNECTIONS_PER_USER": "from the user's next connection on",
    "USER_CONNECTIONS_KEEP": "from the user's next connection on",
    "RATE_HANDSHAKES": _AT_ONCE,
    "TRUSTED_PROXIES": _NEW,
    "ALLOWED_ORIGINS": _NEW,
    "ALLOW_MISSING_ORIGIN": _NEW,
    "RATE_MESSAGES": _AT_ONCE,
    "RATE_TYPING": _AT_ONCE,
    "RATE_REACTIONS": _AT_ONCE,
    "RATE_READS": _AT_ONCE,
    "RATE_AUTH": _AT_ONCE,
    "RATE_CONTROL": _AT_ONCE,
    "MEMBERSHIP_TTL": "also for lists that are remembered",
    "MEMBERSHIP_STALE": "also for lists that are remembered",
    "INTERNAL_API_TOKENS": "from the next request on",
    "DRAIN_TIMEOUT": "for the drain to come",
    "DRAIN_SPREAD": "for the drain to come",
    "LOG_LEVEL": _AT_ONCE,
}
"""The settings that can change while the process runs, and from when on they count.

``docs/operations.md`` has this table. Settings that must fit together are both in here or
neither is: a mixture of old and new values could hold a contradiction that neither had.
"""


@attrs.frozen(eq=False)
class Reloader:
    """Changes the settings of one running node."""

    node: Node
    server: Server
    backend: RestBackend
    keys: ApiKeys

    async def reload(self, read: Callable[[], Settings]) -> None:
        """Read the settings and go by them, as far as that can be done now.

        ``read`` may block, and raises ``ConfigError``.
        """
        house = self.node.house
        try:
            wanted = await trio.to_thread.run_sync(read)
        except ConfigError as error:
            problems = [f"{each.name}: {each.text}" for each in error.problems]
            _log.error("settings_kept", problems=problems)
            return
        changed = differences(house.settings, wanted)
        applied = [name for name in changed if name in RELOADED]
        if applied:
            self._apply(with_values_of(house.settings, wanted, applied))
        _log.info("settings_reloaded", changed=applied)
        if left := [name for name in changed if name not in RELOADED]:
            _log.warning("restart_needed", settings=left)

    def _apply(self, settings: Settings) -> None:
        """Hand everybody what is theirs. No checkpoint: nobody sees half of it."""
        before, house = self.node.house.settings, self.node.house
        caps = find_caps(settings.admission)
        house.settings = settings
        house.admission.adjust(caps)
        house.roster.adjust(settings.admission)
        house.throttle.adjust(paces(settings.rates))
        self.node.keeper.adjust(settings.auth)
        self.node.dials.membership.adjust(
            ttl=settings.membership.ttl, stale=settings.membership.stale
        )
        self.backend.adjust(settings.backend)
        self.keys.replace(settings.internal_api_keys)
        self.server.adjust(settings)
        if settings.log.level != before.log.level:
            log.set_level(settings.log.level)
