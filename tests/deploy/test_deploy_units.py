"""Laws of the systemd units: systemd understands every line, and they give little away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gogate_trio.config import DrainSettings, InternalSettings, Settings
from gogate_trio.config.declare import entries
from gogate_trio.limits import BACKLOG
from gogate_trio.systemd.activation import INTERNAL

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = ["gogate.service", "gogate@.service"]
INSTALLED = "/opt/gogate/bin/gogate"
OURS = Path(sys.executable).with_name("gogate")


def settings_of(unit):
    """The lines of a unit as name → its values, in order."""
    found = {}
    for line in (UNITS / unit).read_text().splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def units(tmp_path):
    """All units, with the program where it is on this machine; also as an instance."""
    for unit in UNITS.iterdir():
        text = unit.read_text().replace(INSTALLED, str(OURS))
        (tmp_path / unit.name).write_text(text)
    return tmp_path


def analyze(*arguments):
    """Run ``systemd-analyze``."""
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "unit", ["gogate.service", "gogate.socket", "gogate-internal.socket", "gogate@1.service"]
)
def test_systemd_understands_every_line(units, unit):
    """No word of complaint: of an unknown key it says so, and succeeds."""
    done = analyze("verify", "--man=no", str(units / unit))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_gives_little_away(units, unit):
    """An exposure of at most 1.5 of 10, by systemd's own count."""
    done = analyze("security", "--offline=yes", "--threshold=15", str(units / unit))

    assert done.returncode == 0, done.stdout


def test_a_mistake_would_be_seen(units):
    """The two checks above can fail."""
    unit = units / "gogate.service"
    text = unit.read_text()
    unit.write_text(text.replace("WatchdogSec=", "WatchDogSec="))
    assert "WatchDogSec" in analyze("verify", "--man=no", str(unit)).stderr
    unit.write_text(text.replace("CapabilityBoundingSet=\n", "").replace("DynamicUser=yes\n", ""))
    assert analyze("security", "--offline=yes", "--threshold=15", str(unit)).returncode != 0


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_is_driven_the_way_the_gateway_obeys(unit):
    """It waits for READY, checks first, reloads by SIGHUP, is watched, and gets its key safely."""
    got = settings_of(unit)

    assert got["Type"] == ["notify"]
    assert got["ExecStartPre"] == [f"{INSTALLED} check --offline"]
    assert got["ExecStart"] == [f"{INSTALLED} serve"]
    assert got["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert got["LoadCredential"][0].startswith("internal_api_key:")
    assert int(got["WatchdogSec"][0]) > 0
    assert int(got["TimeoutStopSec"][0]) > DrainSettings().timeout
    assert got["RestartPreventExitStatus"] == ["2"]


@pytest.mark.parametrize("unit", SERVICES)
def test_only_settings_are_set(unit):
    """What a unit puts into the environment, the gateway knows."""
    names = {entry.setting.name for entry in entries(Settings)}
    given = [line.partition("=")[0] for line in settings_of(unit).get("Environment", [])]

    assert set(given) <= names


def test_instances_differ_from_the_one_gateway_in_what_they_must():
    """The same care for both: only the port is shared and the settings are their own.

    And what a gateway alone may remember over a restart, one of several may not.
    """
    one, many = (settings_of(unit) for unit in SERVICES)
    for name in ("Description", "Environment", "EnvironmentFile"):
        one.pop(name, None)
        many.pop(name)
    alone = {name: one.pop(name) for name in ("StateDirectory", "StateDirectoryMode")}

    assert one == many
    assert alone == {"StateDirectory": ["gogate"], "StateDirectoryMode": ["0700"]}
    assert settings_of("gogate@.service")["Environment"] == [
        "REUSE_PORT=true",
        "INTERNAL_PORT=909%i",
        "NODE_NAME=%l-%i",
    ]


def test_the_internal_socket_is_this_machines_alone_and_goes_by_its_name():
    """The gateway knows it by the name, and nobody outside reaches it."""
    got = settings_of("gogate-internal.socket")

    assert got["FileDescriptorName"] == [INTERNAL]
    assert got["ListenStream"][0].startswith(f"{InternalSettings().host}:")
    assert got["Service"] == ["gogate.service"]
    assert "Accept" not in got


def test_the_socket_is_like_the_one_the_gateway_would_open():
    """The same port, both IP versions, as many that may wait."""
    got = settings_of("gogate.socket")

    assert got["ListenStream"] == [str(Settings.load({"INTERNAL_API_KEY": "k"}, None).listen.port)]
    assert got["BindIPv6Only"] == ["both"]
    assert got["Backlog"] == [str(BACKLOG)]
    assert "Accept" not in got
