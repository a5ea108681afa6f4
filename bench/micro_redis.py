"""What a publication costs a node that has others: ``python bench/micro_redis.py``.

One process holds two nodes without sockets, each with one client, and a real Valkey has the
rest of the machine. CPU is of this process alone, user and system: one publication written,
read by both nodes and told to two clients.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.nodes import open_nodes
from fixtures.valkey import open_valkey

PUBLICATIONS = 6_000
AT_ONCE = (1, 10, 100)


async def measure() -> None:
    """Print a row for each number of publishers at once."""
    folder = Path(tempfile.mkdtemp())
    async with open_valkey(folder / "valkey") as valkey, open_nodes(valkey.url, 2) as nodes:
        clients = [node.join() for node in nodes]
        print("| publishers at once | publications a second | CPU µs each |")
        print("|---:|---:|---:|")
        for publishers in AT_ONCE:
            began, cpu = time.perf_counter(), time.process_time()
            texts = ["a chat message of ordinary length"] * (PUBLICATIONS // publishers)
            async with trio.open_nursery() as publishing:
                for _ in range(publishers):
                    publishing.start_soon(nodes[0].say, *texts)
            for node in nodes:
                await node.settled()
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
            pace, each = PUBLICATIONS / took, cpu / PUBLICATIONS * 1e6
            print(f"| {publishers} | {pace:,.0f} | {each:,.0f} |")
        del clients


if __name__ == "__main__":
    trio.run(measure)
