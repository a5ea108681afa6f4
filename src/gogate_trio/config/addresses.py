"""Kinds of settings that name a place: the host to listen on, the URL of a service."""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from gogate_trio.config.problems import Unusable, quote

HOST_CHARACTERS: Final = 253
"""characters of a DNS name (RFC 1035: 255 bytes on the wire)."""

_VISIBLE: Final = re.compile(r"[!-~]+")
# The underscore is no hostname by the letter, but Docker Compose services have it.
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")


@attrs.frozen
class Host:
    """Where to listen: an IP address, a name, or nothing for every interface."""

    bounds: ClassVar[str] = "IP address or name"

    def parse(self, text: str) -> str:
        """The host as written."""
        if not text or is_host(text):
            return text
        if text in {"*", "[::]"}:
            raise Unusable(f"{quote(text)} is no host: leave it empty to listen on all interfaces")
        raise Unusable(f"{quote(text)} is neither an IP address nor a host name (the port is PORT)")

    def show(self, value: str) -> str:
        """The host as written."""
        return value


@attrs.frozen
class BaseUrl:
    """Where a service lives: ``http(s)://host[:port][/prefix]``.

    Its text is never quoted in an error: people put passwords into URLs.
    """

    bounds: ClassVar[str] = "http(s)://host[:port][/prefix]"

    def parse(self, text: str) -> str:
        """The URL with a lower-case scheme and without a slash at its end."""
        if not text:
            raise Unusable("is empty")
        if not _VISIBLE.fullmatch(text):
            raise Unusable("has a character that no URL has (a blank, a line break, an accent)")
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError:
            # ``from None``: the text of the exception may repeat the URL.
            raise Unusable("has a host or a port that cannot be read") from None
        path = url.path.rstrip("/")
        mistake = _mistake(text, url) or _mistake_in_path(path)
        if mistake:
            raise Unusable(mistake)
        if port == 0:
            raise Unusable("has port 0, which nothing listens on")
        return f"{url.scheme}://{url.netloc}{path}"

    def show(self, value: str) -> str:
        """The URL: it holds no credentials."""
        return value


def is_host(text: str) -> bool:
    """Whether this is an IP address or could be a name in DNS."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        return True
    if len(text) > HOST_CHARACTERS:
        return False
    labels = text.removesuffix(".").split(".")
    # A last label of digits is an IPv4 address with a mistake in it, never a name.
    return all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdecimal()


def _mistake(text: str, url: SplitResult) -> str | None:
    """What is wrong before the path."""
    if url.scheme not in {"http", "https"}:
        return "must begin with http:// or https://"
    if "@" in url.netloc:
        return "must not hold a user name or a password"
    if "?" in text or "#" in text:
        return "must not have a query or a fragment"
    if not is_host(url.hostname or "") or url.netloc.endswith(":"):
        return "has a host or a port that cannot be read"
    return None


def _mistake_in_path(path: str) -> str | None:
    """What is wrong in the path: anything that two programs may read as two different paths."""
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        return "has a path with '//', '.', '..' or a character that needs escaping"
    return None
