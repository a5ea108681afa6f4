"""Every pattern matches alike in every Python that is supported."""

from __future__ import annotations

import importlib
import pkgutil
import re

import gogate_trio


def patterns():
    """Every compiled pattern that a module of the package holds: its name, and what it says."""
    for module in pkgutil.walk_packages(gogate_trio.__path__, "gogate_trio."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                yield f"{module.name}.{name}", value


def test_no_pattern_is_possessive():
    """Before Python 3.11.5 groups that give nothing back take too much: no one here is such."""
    found = dict(patterns())

    assert len(found) > 20
    for name, pattern in found.items():
        parsed = str(re._parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
        assert "POSSESSIVE" not in parsed, name
        assert "ATOMIC" not in parsed, name
