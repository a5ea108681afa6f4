"""The kind of setting that says where Redis is, in one URL."""

from __future__ import annotations

import re
from typing import ClassVar, Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

import attrs

from gogate_trio.config.addresses import is_host
from gogate_trio.config.problems import Unusable
from gogate_trio.config.secret import HIDDEN, Secret

PORT: Final = 6379
SENTINEL_PORT: Final = 26379

MOST_SENTINELS: Final = 16
"""sentinels in a URL. Three or five is what people run."""

_VISIBLE: Final = re.compile(r"[!-~]{1,4096}")
_DATABASE: Final = re.compile(r"[0-9]{1,5}")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_LAST_PORT: Final = 65535
_MASTER: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TLS: Final = {"redis": False, "rediss": True}
_SENTINEL: Final = "+sentinel"


@attrs.frozen(kw_only=True)
class RedisAddress:
    """Where Redis is, and who we are to it."""

    hosts: tuple[tuple[str, int], ...] = ()
    """Its host and port; those of the sentinels where there is a ``master``; none for a path."""
    path: str = ""
    """The socket of the file system it listens on instead."""
    master: str = ""
    """The name under which the sentinels know it."""
    has_tls: bool = False
    user: str = ""
    """Empty: Redis's default user."""
    password: Secret | None = None
    database: int = 0

    @property
    def place(self) -> str:
        """The address without user and password, for people."""
        hosts = ",".join(
            f"[{host}]:{p}" if ":" in host else f"{host}:{p}" for host, p in self.hosts
        )
        return self.path or (f"{self.master} by {hosts}" if self.master else hosts)


@attrs.frozen
class RedisUrl:
    """``redis://``, ``rediss://``, ``unix://`` or ``redis+sentinel://``, or ``off``.

    Its text is never quoted in an error: it holds a password.
    """

    bounds: ClassVar[str] = "off | redis(s)://, unix://, redis(s)+sentinel://"

    def parse(self, text: str) -> RedisAddress | None:
        """The address; None for ``off``."""
        if text.lower() == "off":
            return None
        if not text:
            raise Unusable("is empty: leave it out, or say off, for a gateway alone")
        if not _VISIBLE.fullmatch(text):
            raise Unusable("has a character that no URL has, or is too long")
        try:
            url = urlsplit(text)
        except ValueError:
            # ``from None``: the text of the exception may repeat the URL.
            raise Unusable("cannot be read as a URL") from None
        if url.scheme == "unix":
            return _of_path(url)
        scheme = url.scheme.removesuffix(_SENTINEL)
        if scheme not in _TLS:
            raise Unusable("must begin with redis://, rediss://, unix:// or redis+sentinel://")
        if url.query or url.fragment:
            raise Unusable("must not have a query or a fragment")
        return _of_hosts(url, has_tls=_TLS[scheme], is_sentinel=url.scheme.endswith(_SENTINEL))

    def show(self, value: RedisAddress | None) -> str:
        """The URL, its password hidden."""
        if value is None:
            return "off"
        who = ""
        if value.user or value.password:
            who = f"{quote(value.user, safe='')}{f':{HIDDEN}' if value.password else ''}@"
        if value.path:
            return f"unix://{who}{quote(value.path)}?db={value.database}"
        scheme = f"redis{'s' * value.has_tls}{_SENTINEL * bool(value.master)}"
        hosts = attrs.evolve(value, master="", path="").place
        master = f"/{value.master}" if value.master else ""
        return f"{scheme}://{who}{hosts}{master}/{value.database}"


def _of_path(url: SplitResult) -> RedisAddress:
    user, password, rest = _who(url.netloc)
    if rest or not url.path.startswith("/"):
        raise Unusable("must name a socket by its absolute path: unix:///run/redis.sock")
    query = parse_qs(url.query, keep_blank_values=True)
    if query.keys() - {"db"} or url.fragment:
        raise Unusable("may have no parameter but db")
    database = _database(query.get("db", ["0"])[-1])
    return RedisAddress(path=unquote(url.path), user=user, password=password, database=database)


def _of_hosts(url: SplitResult, *, has_tls: bool, is_sentinel: bool) -> RedisAddress:
    user, password, netloc = _who(url.netloc)
    texts = netloc.split(",")
    parts = url.path.strip("/").split("/") if url.path.strip("/") else []
    master = ""
    if is_sentinel:
        if not parts or not _MASTER.fullmatch(parts[0]):
            raise Unusable("must name the master behind the sentinels: …host:26379/mymaster")
        if len(texts) > MOST_SENTINELS:
            raise Unusable(f"has more than {MOST_SENTINELS} sentinels")
        master = parts.pop(0)
    elif len(texts) > 1:
        raise Unusable("has several hosts: that takes redis+sentinel://")
    if len(parts) > 1:
        raise Unusable("has a path that is no database number")
    return RedisAddress(
        hosts=tuple(_host(text, SENTINEL_PORT if is_sentinel else PORT) for text in texts),
        master=master,
        has_tls=has_tls,
        user=user,
        password=password,
        database=_database(parts[0] if parts else "0"),
    )


def _who(netloc: str) -> tuple[str, Secret | None, str]:
    """Return user, password and what comes behind them."""
    who, at, rest = netloc.rpartition("@")
    user, colon, password = who.partition(":")
    if at and not who:
        raise Unusable("has an @ without a user or a password before it")
    return unquote(user), Secret(unquote(password)) if colon and password else None, rest


def _host(text: str, port: int) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        colon, number = rest[:1], rest[1:]
        is_fine = bool(bracket) and colon in {"", ":"}
    else:
        host, colon, number = text.partition(":")
        is_fine = True
    if not is_fine or not is_host(host):
        raise Unusable("has a host that cannot be read")
    if not colon:
        return host, port
    if not _PORT.fullmatch(number) or not 1 <= int(number) <= _LAST_PORT:
        raise Unusable("has a port that cannot be read")
    return host, int(number)


def _database(text: str) -> int:
    if not _DATABASE.fullmatch(text):
        raise Unusable("has a path or a db that is no database number")
    return int(text)
