"""What must never be seen: the secrets the tests use, made to be recognised anywhere.

The fakes take ``token-N`` for the token of user N. A test that makes up another key of its
own uses one of ``KEYS``, or it is not watched.
"""

from __future__ import annotations

import re

KEY = "canary-of-the-internal-key"
"""The internal key the fake backends want."""

KEYS = (KEY, "correct-horse-battery-staple", "a-key-of-the-tests", "a-password-for-redis")
"""Every internal key of the tests."""

MARKS = re.compile("|".join([*map(re.escape, KEYS), r"\btoken-[0-9]+\b"]).encode())
"""Any key, and any token of the fakes."""

JWT = re.compile(rb"\beyJ[\w-]{6,}\.eyJ[\w-]{6,}")
"""Any real token. The demo says them on purpose; nobody else may."""

HINTS = (b"token-", b"eyJ", *map(str.encode, KEYS))
"""What is in every secret. To look for these first is ten times as fast where there is none."""

LONGEST = 4096
"""bytes within which a secret ends: a JWT of the tests is under one kilobyte."""
