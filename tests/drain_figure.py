"""Draws ``docs/images/drain.svg``: a restart as 300 clients do it that wait as they are told.

``python tests/drain_figure.py`` restarts a real gateway on its port, with real clients that
resume, and takes about 20 seconds.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from fakes.backend import open_fake_backend
from fakes.clients import open_client
from fakes.crowd import CROWD, seat_crowd
from fakes.desk import FakeUser
from fakes.process import open_gateway
from fakes.resuming import come, come_back

if TYPE_CHECKING:
    from fakes.backend import FakeBackend

FIGURE = Path(__file__).parent.parent / "docs" / "images" / "drain.svg"
CLIENTS = 300
SPREAD = 5.0
BIN = 0.25
"""seconds a bar stands for"""

_WIDTH, _HEIGHT, _LEFT, _BASE = 760, 300, 56, 250
_COLOURS = {"hung up on": "#ca8a04", "back, with all they missed": "#2563eb"}


@attrs.define(eq=False)
class Restart:
    """What was seen of one."""

    begin: float = 0.0
    left: list[float] = attrs.field(factory=list)
    back: list[float] = attrs.field(factory=list)
    """Seconds after SIGTERM."""
    recovered: int = 0
    tries: int = 0
    is_whole: trio.Event = attrs.field(factory=trio.Event)
    """Set when everybody is back."""

    async def attend(self, fake: FakeBackend, port: int, number: int, *, task_status) -> None:
        """Be one client: here, away for as long as it is told, here again."""
        token = fake.token(number)
        async with open_client(port) as client:
            place = await come(client, token)
            task_status.started()
            code, reason = await client.ending()
            assert code == 1012, code
            self.left.append(trio.current_time() - self.begin)
        await trio.sleep(int(reason.removeprefix("retry=")) / 1000)
        while True:
            self.tries += 1
            try:
                async with open_client(port) as client:
                    welcome = await come_back(client, token, place)
                    self.recovered += welcome["recovered"]
                    self.back.append(trio.current_time() - self.begin)
                    if len(self.back) == CLIENTS:
                        self.is_whole.set()
            except OSError:
                await trio.sleep(0.5)
            else:
                return


async def watch() -> Restart:
    """Restart a gateway with a crowd; return what came of it."""
    seen = Restart()
    async with open_fake_backend() as fake:
        seat_crowd(fake)
        for number in range(CROWD.stop, CROWD.start + CLIENTS):
            fake.users[number] = FakeUser(number, "Number", str(number), f"+7{number}")
        with tempfile.TemporaryDirectory() as name:
            variables = {"DRAIN_SPREAD": f"{SPREAD:.0f}s", "STATE_DIR": name}
            folder = Path(name)
            async with trio.open_nursery() as clients:
                async with open_gateway(fake, folder, **variables) as first:
                    for number in range(CROWD.start, CROWD.start + CLIENTS):
                        port = first.port
                        await clients.start(partial(seen.attend, fake, port, number))
                    seen.begin = trio.current_time()
                    first.signal(signal.SIGTERM)
                    assert await first.ended() == 0
                async with open_gateway(fake, folder, PORT=str(first.port), **variables):
                    with trio.fail_after(60):
                        await seen.is_whole.wait()
    return seen


def drawing(seen: Restart) -> str:
    """Return the figure."""
    last = max(seen.back)
    bins = int(last / BIN) + 1
    counts = {
        name: [sum(index * BIN <= at < (index + 1) * BIN for at in times) for index in range(bins)]
        for name, times in zip(_COLOURS, (seen.left, seen.back), strict=True)
    }
    most = max(map(max, counts.values()))
    wide = (_WIDTH - _LEFT - 16) / bins
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' width="{_WIDTH}" height="{_HEIGHT}" font-family="system-ui, sans-serif" font-size="12">'
    )
    title = f"A restart of {CLIENTS} clients, DRAIN_SPREAD={SPREAD:.0f}s: clients per {BIN:g} s"
    parts = [
        head,
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{title}</text>',
    ]
    for row, (name, colour) in enumerate(_COLOURS.items()):
        parts.append(
            f'<rect x="{_LEFT + row * 130}" y="34" width="12" height="12" fill="{colour}"/>'
        )
        parts.append(f'<text x="{_LEFT + row * 130 + 18}" y="44">{name}</text>')
        for index, count in enumerate(counts[name]):
            tall = 180 * count / most
            parts.append(
                f'<rect x="{_LEFT + index * wide:.1f}" y="{_BASE - tall:.1f}"'
                f' width="{wide - 1:.1f}" height="{tall:.1f}" fill="{colour}" fill-opacity="0.85"/>'
            )
    for count in (0, most // 2, most):
        y = _BASE - 180 * count / most
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d0d4da"/>'
        )
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{count}</text>')
    for second in range(0, int(last) + 1, 2):
        x = _LEFT + second / BIN * wide
        parts.append(f'<text x="{x:.1f}" y="{_BASE + 18}" text-anchor="middle">{second}</text>')
    parts.append(
        f'<text x="{_WIDTH / 2}" y="{_BASE + 38}" text-anchor="middle">seconds after SIGTERM</text>'
    )
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    seen = trio.run(watch)
    FIGURE.write_text(drawing(seen))
    busiest = max(sum(each <= at < each + 1 for at in seen.back) for each in seen.back)
    sys.stdout.write(
        f"{len(seen.back)} back of {CLIENTS}, {seen.recovered} recovered, {seen.tries} tries;"
        f" hung up on {min(seen.left):.2f} to {max(seen.left):.2f} s,"
        f" back {min(seen.back):.2f} to {max(seen.back):.2f} s;"
        f" in the busiest second {busiest}\n"
    )
