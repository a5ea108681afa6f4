"""What holds for every test: no secret is ever said (see ``canary``)."""

from __future__ import annotations

from canary import (
    pytest_configure,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_sessionfinish,
)

__all__ = [
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
]
