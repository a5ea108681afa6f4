"""The OpenAPI document and the API itself, held against each other by schemathesis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import trio

from fakes.api import PREFIX
from fakes.node import PATIENCE
from fakes.process import open_gateway
from gogate_trio.internal.api.operations import OPERATIONS

HOOKS = Path(__file__).parents[1] / "fixtures" / "whole_numbers.py"
CONFIG = """
seed = 20261123
hooks = "{hooks}"
headers = {{ X-Internal-API-Key = "{key}" }}

[generation]
max-examples = 10
database = "none"
"""


async def test_the_api_does_what_its_document_says(fake, tmp_path):
    """Whatever is sent, right or wrong: the status, the body and the headers are documented.

    All checks of schemathesis: bad data is refused, good data is taken, methods and content
    types that are not there are named as such, the key is really wanted, nothing is a 5xx.
    """
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(key=fake.key, hooks=HOOKS))
    async with open_gateway(fake, tmp_path, INTERNAL_PORT="0") as gateway:
        port = (await gateway.logged("serving_internal"))["port"]
        url = f"http://127.0.0.1:{port}{PREFIX}openapi.json"
        # A node that drains answers nothing else for long.
        command = ("run", url, "--checks", "all", "--no-color", "--exclude-operation-id", "drain")
        with trio.fail_after(6 * PATIENCE):
            ran = await trio.run_process(
                [sys.executable, "-m", "schemathesis.cli", *command],
                cwd=tmp_path,
                check=False,
                capture_stdout=True,
                stderr=subprocess.STDOUT,
            )
        said = ran.stdout.decode()
        bugs = [line for line in gateway.log() if line["level"] in {"error", "critical"}]

    assert ran.returncode == 0, said
    assert bugs == []
    assert f"{len(OPERATIONS) - 1} selected" in said, said
