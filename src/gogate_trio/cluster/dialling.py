"""The way to Redis: its address, the sentinels that know it, TLS, and who we are."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import attrs
import trio
from coredis.exceptions import AuthenticationRequiredError, RedisError

from gogate_trio.cluster.wire import Wire
from gogate_trio.errors import ClusterUnavailable, OperatorError

if TYPE_CHECKING:
    from gogate_trio.cluster.wire import Place, Word
    from gogate_trio.config import ClusterSettings, RedisAddress


@attrs.define(eq=False)
class Dialler:
    """Opens connections to the Redis of the settings."""

    address: RedisAddress
    name: str
    """What the connections are called in Redis's ``CLIENT LIST``."""
    context: ssl.SSLContext | None
    _sentinels: list[Place] = attrs.field(init=False)
    """The one that was right last comes first."""

    def __attrs_post_init__(self) -> None:
        self._sentinels = list(self.address.hosts)

    async def dial(self) -> Wire:
        """Return a connection on which Redis has said who it is.

        Raises ``ClusterUnavailable``. Cancelled, no socket stays open. The caller sets the
        deadline.
        """
        if self.address.path:
            return await self._greet(await self._open_path())
        if self.address.master:
            return await self._dial_master()
        return await self._greet(await self._open(*self.address.hosts[0]))

    async def check(self, wire: Wire) -> None:
        """Refuse what is no master any more, where sentinels choose it."""
        if self.address.master:
            await _check_role(wire)

    async def find_master(self) -> Place:
        """Return where the master is by the sentinels' word. Raises ``ClusterUnavailable``."""
        _, place = await self._find_master()
        return place

    async def _dial_master(self) -> Wire:
        sentinel, place = await self._find_master()
        try:
            wire = await self._greet(await self._open(*place))
        except BaseException:
            # A sentinel that is cut off may name a dead one for ever: next time another is asked.
            self._sentinels.remove(sentinel)
            self._sentinels.append(sentinel)
            raise
        wire.place = place
        return wire

    async def _greet(self, wire: Wire) -> Wire:
        try:
            await wire.ask(*self._hello())
            if self.address.database:
                await wire.ask(b"SELECT", self.address.database)
            await self.check(wire)
        except RedisError as error:
            wire.close()
            raise ClusterUnavailable(type(error).__name__) from error
        except BaseException:
            wire.close()
            raise
        return wire

    def _hello(self) -> list[Word]:
        words: list[Word] = [b"HELLO", 3]
        if self.address.password is not None:
            words += [b"AUTH", self.address.user or "default", self.address.password.reveal()]
        return [*words, b"SETNAME", self.name]

    async def _open_path(self) -> Wire:
        try:
            return Wire(await trio.open_unix_socket(self.address.path))
        except OSError as error:
            raise ClusterUnavailable("no connection") from error

    async def _open(self, host: str, port: int) -> Wire:
        try:
            stream = await trio.open_tcp_stream(host, port)
        except (OSError, UnicodeError) as error:
            raise ClusterUnavailable("no connection") from error
        if self.context is None:
            return Wire(stream)
        tls = trio.SSLStream(stream, self.context, server_hostname=host, https_compatible=True)
        try:
            await tls.do_handshake()
        except trio.BrokenResourceError as error:
            stream.socket.close()
            raise ClusterUnavailable("TLS handshake failed") from error
        except BaseException:
            stream.socket.close()
            raise
        return Wire(stream, tls)

    async def _find_master(self) -> tuple[Place, Place]:
        """Return which sentinel answered first, and where it says that the master is."""
        for sentinel in tuple(self._sentinels):
            # Each gets its share of the caller's time: one that hangs must not use it all up.
            left = trio.current_effective_deadline() - trio.current_time()
            with trio.move_on_after(min(left, 60.0) / 2):
                try:
                    found = await self._ask_sentinel(*sentinel)
                except ClusterUnavailable:
                    continue
                self._sentinels.remove(sentinel)
                self._sentinels.insert(0, sentinel)
                return sentinel, found
        raise ClusterUnavailable("no sentinel knows the master")

    async def _ask_sentinel(self, host: str, port: int) -> Place:
        wire = await self._open(host, port)
        question = (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self.address.master)
        try:
            try:
                reply = await wire.ask(*question)
            except AuthenticationRequiredError:
                # Sentinels have a password of their own; where they have one it is the same.
                await wire.ask(*self._hello())
                reply = await wire.ask(*question)
        except RedisError as error:
            raise ClusterUnavailable(type(error).__name__) from error
        finally:
            wire.close()
        match reply:
            case [bytes() as found, bytes() as at] if at.isdigit():
                return found.decode("ascii", "replace"), int(at)
            case _:
                raise ClusterUnavailable("the sentinel does not know the master")


async def _check_role(wire: Wire) -> None:
    """Refuse what is no master any more: a sentinel may not have noticed yet."""
    reply = await wire.ask(b"ROLE")
    if not isinstance(reply, list) or not reply or reply[0] != b"master":
        raise ClusterUnavailable("not the master")


def tls_context(settings: ClusterSettings) -> ssl.SSLContext | None:
    """Return what a Redis over TLS is checked against; None without TLS.

    Raises ``OperatorError`` when REDIS_CA is no good.
    """
    if settings.redis is None or not settings.redis.has_tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca or None)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"REDIS_CA cannot be used: {error.strerror or 'no PEM'}") from error
