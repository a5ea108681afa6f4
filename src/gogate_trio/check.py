"""``gogate check``: are the settings usable, is the backend there, does it take our key?

Asks the real backend through the adapter that serves the gateway, with calls that change
nothing: a made-up token is validated, the members of chat 1 are asked for.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs
import trio

from gogate_trio.backend.rest import open_backend
from gogate_trio.broker.opening import open_link_if_any
from gogate_trio.errors import BackendError, BackendRejected, ClusterUnavailable, OperatorError
from gogate_trio.ids import ChatId
from gogate_trio.metrics import RedisCounts
from gogate_trio.protocol.origins import ANY
from gogate_trio.server.certificate import read_certificate
from gogate_trio.server.tls import date_of, doubt_about

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gogate_trio.backend.base import Backend
    from gogate_trio.config import (
        ClusterSettings,
        ConfigError,
        InternalSettings,
        Settings,
        TlsSettings,
    )

PLACEHOLDER_KEY: Final = "your_secure_random_key_here"
"""The example of the integration guide."""

KEY_CHARACTERS: Final = 16
"""characters below which a key is called short: 16 random letters and digits are 95 bits."""

MADE_UP_TOKEN: Final = "gogate-check.not-a.token"  # noqa: S105  # it is meant to be refused
"""Has the shape of a JWT, so that a backend refuses it where it would refuse a real one."""

ANY_CHAT: Final = ChatId(1)
"""Whether the backend has it does not matter: "no such chat" too is an answer to our key."""

FIRST_SERVER_ERROR: Final = 500
"""Statuses from here on are the backend's own trouble."""

_REFUSES_TOKEN: Final = frozenset({400, 401})
_REFUSES_KEY: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404


class State(Enum):
    """How a question was answered."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen
class Finding:
    """One row: what was looked at, how it is, and what to do about it."""

    name: str
    state: State
    detail: str
    advice: str = ""


def refused_settings(error: ConfigError) -> tuple[Finding, ...]:
    """A row for each problem."""
    return tuple(Finding(p.name, State.FAILED, p.text) for p in error.problems)


def review(settings: Settings) -> Iterator[Finding]:
    """What can be said about usable settings without asking anybody."""
    given = [name for name, source in settings.sources.items() if source.value != "default"]
    yield Finding("settings", State.OK, f"usable; {len(given)} given, the rest are defaults")
    key = settings.backend.internal_api_key.reveal()
    new_key = "make one with `openssl rand -hex 32` and give it to the backend too"
    if key == PLACEHOLDER_KEY:
        yield Finding("INTERNAL_API_KEY", State.WARNING, "is the guide's placeholder", new_key)
    elif len(key) < KEY_CHARACTERS:
        yield Finding("INTERNAL_API_KEY", State.WARNING, "is short enough to be guessed", new_key)
    if ANY in settings.origins.allowed:
        yield Finding(
            "ALLOWED_ORIGINS",
            State.WARNING,
            "lets every web page connect, also hostile ones",
            "list the pages of your front end",
        )
    if settings.drain.timeout < settings.backend.timeout:
        yield Finding(
            "DRAIN_TIMEOUT",
            State.WARNING,
            "is less than BACKEND_TIMEOUT: a restart may cut a call under way",
            "raise it, or lower BACKEND_TIMEOUT",
        )
    if settings.websocket.auth_timeout < settings.backend.timeout:
        yield Finding(
            "AUTH_TIMEOUT",
            State.WARNING,
            "is less than BACKEND_TIMEOUT: a slow backend locks every client out",
            "raise it, or lower BACKEND_TIMEOUT",
        )
    yield from _review_files(settings)
    if settings.internal.port is not None:
        yield _look_at_internal(settings.internal)


def _review_files(settings: Settings) -> Iterator[Finding]:
    """What can be said about the files and directories that settings name."""
    key_files = {
        "INTERNAL_API_KEY_FILE": settings.backend.internal_api_key_file,
        "TLS_KEY": settings.tls.key,
    }
    for name, path in key_files.items():
        if path and _is_open_to_all(path):
            advice = "take it away: chmod o-rwx"
            yield Finding(name, State.WARNING, "everybody on this machine may read it", advice)
    if settings.state.folder and not os.access(settings.state.folder, os.W_OK | os.X_OK):
        yield Finding(
            "STATE_DIR",
            State.WARNING,
            "cannot be written to: no client resumes after a restart",
            "give it to the gateway's user, with mode 0700",
        )
    if settings.tls.cert:
        yield _examine_certificate(settings.tls)


def _look_at_internal(internal: InternalSettings) -> Finding:
    name = "INTERNAL_PORT"
    if not _is_own(internal.host):
        advice = "set INTERNAL_HOST to 127.0.0.1, or let a firewall keep strangers out"
        return Finding(name, State.WARNING, "is open to more than this machine", advice)
    return Finding(name, State.OK, f"/metrics and /ready on {internal.host}:{internal.port}")


def _is_own(host: str) -> bool:
    """Whether only this machine reaches a listener on a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_open_to_all(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        # That it cannot be read at all is said elsewhere.
        return False


def _examine_certificate(tls: TlsSettings) -> Finding:
    name = "TLS_CERT"
    try:
        certificate = read_certificate(tls)
    except OperatorError as error:
        return Finding(name, State.FAILED, str(error), "the gateway would not start")
    if doubt := doubt_about(certificate):
        return Finding(name, State.WARNING, doubt, "get a new one; it is taken without a restart")
    return Finding(name, State.OK, f"good until {date_of(certificate)}")


async def probe(settings: Settings) -> list[Finding]:
    """Ask the backend and Redis. Ends within about three times the backend's timeout."""
    return [*await _ask_backend(settings), *await _ask_redis(settings.cluster)]


async def _ask_backend(settings: Settings) -> list[Finding]:
    address = await knock(settings)
    if address.state is not State.OK:
        return [address, *_skipped("backend API", "internal API key")]
    async with open_backend(settings.backend) as backend:
        return [address, *await examine(backend)]


async def _ask_redis(cluster: ClusterSettings) -> list[Finding]:
    """Whether Redis lets us in and runs the broker's scripts; nothing where there is none."""
    name, where = "redis", cluster.redis.place if cluster.redis else ""
    try:
        async with open_link_if_any(cluster, RedisCounts()) as link:
            if link is None:
                return []
            await link.call(b"EVAL", "return redis.call('TIME')", 0)
            policy = await link.call(b"CONFIG", b"GET", b"maxmemory-policy")
    except ClusterUnavailable as error:
        if error.reason != "AuthorizationError":
            advice = "is REDIS_URL right, its password too, and is Redis up?"
            return [Finding(name, State.FAILED, f"{where}: {error.reason}", advice)]
        policy = None
    except OperatorError as error:
        return [Finding(name, State.FAILED, str(error))]
    if isinstance(policy, dict) and policy.get(b"maxmemory-policy") != b"noeviction":
        advice = "set maxmemory-policy noeviction"
        return [Finding(name, State.WARNING, f"{where} throws data away when it is full", advice)]
    return [Finding(name, State.OK, f"{where} lets us in")]


async def knock(settings: Settings) -> Finding:
    """Whether anything accepts connections at the backend's address."""
    name = "backend address"
    url = urlsplit(settings.backend.url)
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    where = settings.backend.url
    try:
        with trio.fail_after(settings.backend.timeout):
            stream = await trio.open_tcp_stream(url.hostname or "", port)
    except trio.TooSlowError:
        advice = "is BACKEND_API_URL right, does a firewall stand between?"
        return Finding(name, State.FAILED, f"{where}: no answer in time", advice)
    except socket.gaierror:
        advice = "is the name in BACKEND_API_URL right, and known on this machine?"
        return Finding(name, State.FAILED, f"{where}: the name has no address", advice)
    except OSError:
        advice = "is the backend running, and BACKEND_API_URL its address?"
        return Finding(name, State.FAILED, f"{where}: nothing accepts connections", advice)
    await trio.aclose_forcefully(stream)
    return Finding(name, State.OK, f"{where} accepts connections")


async def examine(backend: Backend) -> list[Finding]:
    """Whether the backend speaks the contract and takes our key."""
    api = await _examine_api(backend)
    if api.state is not State.OK:
        return [api, *_skipped("internal API key")]
    return [api, await _examine_key(backend)]


async def _examine_api(backend: Backend) -> Finding:
    name = "backend API"
    started = time.perf_counter()
    try:
        await backend.validate(MADE_UP_TOKEN)
    except BackendRejected as refusal:
        if refusal.status in _REFUSES_TOKEN:
            took = (time.perf_counter() - started) * 1000
            return Finding(name, State.OK, f"refuses a made-up token, as it should ({took:.0f} ms)")
        if refusal.status == _NOT_FOUND:
            advice = "is the path in BACKEND_API_URL right?"
            return Finding(name, State.FAILED, "has no endpoint that validates tokens", advice)
        return _odd_status(name, refusal.status)
    except BackendError:
        return _no_answer(name)
    advice = "is this really the chat's backend? Anybody could log in as anybody"
    return Finding(name, State.FAILED, "accepts a made-up token", advice)


async def _examine_key(backend: Backend) -> Finding:
    name = "internal API key"
    try:
        await backend.members(ANY_CHAT)
    except BackendRejected as refusal:
        if refusal.status in _REFUSES_KEY:
            advice = "INTERNAL_API_KEY must equal the backend's own"
            return Finding(name, State.FAILED, "the backend refuses it", advice)
        if refusal.status != _NOT_FOUND:
            return _odd_status(name, refusal.status)
    except BackendError:
        return _no_answer(name)
    return Finding(name, State.OK, "the backend accepts it")


def _odd_status(name: str, status: int) -> Finding:
    who = "the backend" if status >= FIRST_SERVER_ERROR else "the backend, or a proxy before it,"
    return Finding(name, State.FAILED, f"{who} answered status {status}", "look into its log")


def _no_answer(name: str) -> Finding:
    advice = "is it the backend that listens there, http or https as in BACKEND_API_URL?"
    return Finding(name, State.FAILED, "gave no usable answer", f"{advice} Look into its log")


def _skipped(*names: str) -> list[Finding]:
    return [Finding(name, State.SKIPPED, "cannot be asked") for name in names]
