"""Settings of the backend client for tests: short deadline, few slots.

A module whose laws hold for either transport says so::

    pytestmark = pytest.mark.usefixtures("transport")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import pytest

from fakes.secrets import KEY
from gogate_trio.config import BackendSettings, Secret, Transport

if TYPE_CHECKING:
    from gogate_trio.backend.dialects import DialectName

TRANSPORT: Transport = "h11"
"""What carries the calls where a test does not say; the fixture takes turns."""
TRANSPORTS: Final = get_args(Transport)


@pytest.fixture(params=TRANSPORTS)
def transport(request, monkeypatch):
    """Each transport in turn, for all settings made in a test."""
    monkeypatch.setattr(f"{__name__}.TRANSPORT", request.param)
    return request.param


def backend_settings(
    url: str,
    *,
    key: str = KEY,
    dialect: DialectName = "guide",
    timeout: float = 5.0,
    max_calls: int = 8,
    queue: int = 1000,
) -> BackendSettings:
    """Return settings for ``open_backend`` that point at a fake."""
    return BackendSettings(
        url=url,
        internal_api_key=Secret(key),
        dialect=dialect,
        timeout=timeout,
        max_calls=max_calls,
        queue=queue,
        transport=TRANSPORT,
    )
