"""The settings of authentication: how a client proves who it is, and how long that holds."""

from __future__ import annotations

import re
from typing import ClassVar, Final

import attrs

from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Duration, Whole
from gogate_trio.config.problems import Unusable, quote

_DAY: Final = 86_400.0
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")


@attrs.frozen
class CookieName:
    """The name of a cookie (RFC 6265: a token), or nothing."""

    bounds: ClassVar[str] = "cookie name"

    def parse(self, text: str) -> str:
        """The name as written."""
        if text and not _NAME.fullmatch(text):
            raise Unusable(f"{quote(text)} is no name of a cookie")
        return text

    def show(self, value: str) -> str:
        """The name as written."""
        return value


@attrs.frozen(kw_only=True)
class AuthSettings:
    """Authentication, and the life of a token."""

    cookie: str = setting(
        "AUTH_COOKIE",
        CookieName(),
        default="",
        help="The cookie of the upgrade request that authenticates a browser whose page cannot"
        " read its token, such as access_token. It counts only with an Origin that was let in."
        " Empty: off.",
    )
    concurrency: int = setting(
        "AUTH_CONCURRENCY",
        Whole(1, 10_000),
        default=32,
        help="How many tokens the backend is asked about at once, new ones and rechecks together;"
        " more wait for their turn. Half of BACKEND_MAX_CALLS, so that messages pass when"
        " everybody comes back at once.",
    )
    grace: float = setting(
        "TOKEN_GRACE",
        Duration(0.0, _DAY),
        default=30.0,
        help="How long a connection outlives the exp of its token, so that a client has time to"
        " bring a fresh one, and clocks may differ.",
    )
    recheck: float = setting(
        "TOKEN_RECHECK",
        Duration(0.0, _DAY),
        default=300.0,
        help="How often the backend is asked whether a token in use is still good, give or take"
        " a tenth. As long may a revoked user stay. 0: only when it answers 401 to one of the"
        " user's calls.",
    )
