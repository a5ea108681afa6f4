"""The console: one page that shows a node live, and loads nothing but the overview.

The page itself holds nothing of the node; what it shows it asks the API for, with the key that
whoever looks at it has typed in. It is one document with its style and its script in it, and a
content security policy that lets it run these two and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from gogate_trio.server.pages import Page

PATH: Final = "/console"

_SCRIPTS: Final = ("figures.js", "charts.js", "tables.js", "main.js")
"""In the order in which they use each other, the last one the others."""


def console_page() -> Page:
    """Return the page."""
    here = files(__name__)
    style = here.joinpath("console.css").read_text()
    scripts = [here.joinpath(name).read_text() for name in _SCRIPTS]
    script = "\n".join(['"use strict";', *scripts])
    document = here.joinpath("console.html").read_text()
    document = document.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    headers = (
        ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
    )
    return Page("text/html; charset=utf-8", document.encode(), headers)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
