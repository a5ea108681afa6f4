"""Laws of misspelt names: slips are caught, other programs' names are left alone."""

from __future__ import annotations

import pytest

from gogate_trio.config import ConfigError, Settings
from gogate_trio.config.declare import entries
from gogate_trio.config.spelling import distance, meant_in_environment, meant_in_file

KNOWN = [entry.setting.name for entry in entries(Settings)]

# Shells, desktops, CI, containers, Kubernetes, languages and the other services of a chat.
USUAL = """
ALLUSERSPROFILE API_KEY API_URL APP_DEBUG APP_ENV APP_PORT APP_SECRET APP_URL AUTH_TOKEN
AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_REGION AWS_SECRET_ACCESS_KEY BACKEND_HOST
BACKEND_PORT BACKEND_SERVICE_HOST BACKEND_SERVICE_PORT BASH_ENV BROWSER BUILD_NUMBER CI
CI_COMMIT_SHA COLORTERM COLUMNS CORS_ALLOW_ORIGIN DATABASE_URL DB_HOST DB_NAME DB_PASSWORD
DB_PORT DB_USER DBUS_SESSION_BUS_ADDRESS DEBIAN_FRONTEND DEBUG DEFAULT_URI DISPLAY
DOCKER_HOST EDITOR EMAIL ENV FRONTEND_URL GATEWAY_PORT GITHUB_ACTIONS GITHUB_TOKEN
GOGATE_PORT GOGATE_PORT_8080_TCP GOGATE_PORT_8080_TCP_ADDR GOGATE_SERVICE_HOST
GOGATE_SERVICE_PORT GOMAXPROCS GOPATH GUNICORN_CMD_ARGS HISTSIZE HOME HOSTNAME HOSTS
HOSTTYPE HTTPS_PROXY HTTP_PROXY INVOCATION_ID JAVA_HOME JOURNAL_STREAM JWT_PASSPHRASE
JWT_PUBLIC_KEY JWT_SECRET_KEY KUBERNETES_PORT KUBERNETES_PORT_443_TCP_PROTO
KUBERNETES_SERVICE_HOST LANG LANGUAGE LC_ALL LESS LINES LISTEN_FDS LISTEN_FDNAMES
LISTEN_PID LOGLEVEL LOGNAME LOG_DIR LOG_FILE LOG_PATH LS_COLORS MAIL MAILER_DSN MALLOC_ARENA_MAX
MAX_CONNECTIONS MAX_SIZE MAX_WORKERS MEMORY_LIMIT MESSENGER_TRANSPORT_DSN MONITOR_PORT
NODE_ENV NODE_OPTIONS NOTIFY_SOCKET NO_COLOR NO_PROXY OLDPWD OTEL_EXPORTER_OTLP_ENDPOINT
OTEL_SERVICE_NAME PAGER PATH PGHOST PGPASSWORD PGPORT PIP_DEFAULT_TIMEOUT POD_IP POD_NAME
PORTS POSTGRES_DB POSTGRES_PASSWORD POSTGRES_USER PS1 PWD PYTHONDONTWRITEBYTECODE
PYTHONPATH PYTHONUNBUFFERED READ_TIMEOUT REDIS_HOST REDIS_PORT REDIS_URL REQUEST_TIMEOUT
RUST_BACKTRACE SENTRY_DSN SERVER_PORT SHELL SHLVL SSH_AUTH_SOCK SSH_CLIENT SSL_CERT_DIR
SSL_CERT_FILE SUDO_USER SYSTEMD_EXEC_PID TEMP TERM TIMEOUT TMPDIR TZ USER VIRTUAL_ENV
WATCHDOG_PID WATCHDOG_USEC WEB_CONCURRENCY WRITE_TIMEOUT XAUTHORITY XDG_CONFIG_HOME
XDG_DATA_DIRS XDG_RUNTIME_DIR XDG_SESSION_ID XDG_SESSION_TYPE XPC_SERVICE_NAME _
http_proxy https_proxy no_proxy npm_config_cache
""".split()  # noqa: SIM905  # as a list it would be a page long


def test_usual_names_of_an_environment_are_left_alone():
    """No name that shells, CI, containers or sister services set stops the gateway."""
    assert len(USUAL) > 100
    accused = {n: meant_in_environment(n, KNOWN, present=USUAL) for n in USUAL}

    assert {n: meant for n, meant in accused.items() if meant} == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PONG_WIAT", "PONG_WAIT"),
        ("PONGWAIT", "PONG_WAIT"),
        ("PING_PEROID", "PING_PERIOD"),
        ("PNIG_PEROID", "PING_PERIOD"),
        ("ping_period", "PING_PERIOD"),
        ("LOG_LEVL", "LOG_LEVEL"),
        ("LOG_LEVELS", "LOG_LEVEL"),
        ("BACKEND_API_ULR", "BACKEND_API_URL"),
        ("BACKEND_API_URI", "BACKEND_API_URL"),
        ("INTERNAL_APIKEY", "INTERNAL_API_KEY"),
        ("MAX_MESSAGES_SIZE", "MAX_MESSAGE_SIZE"),
        ("BACKEND_URL", "BACKEND_API_URL"),
        ("INTERNAL_KEY", "INTERNAL_API_KEY"),
    ],
)
def test_a_slip_is_caught(name, meant):
    """A swapped, missing, doubled or wrong letter in a long name, or a word left out of it."""
    assert meant_in_environment(name, KNOWN, present=[name]) == meant


def test_a_shortened_name_beside_the_right_one_is_somebody_elses():
    """With BACKEND_API_URL set, BACKEND_URL belongs to another program; a slip stays a slip."""
    present = ["BACKEND_API_URL", "BACKEND_URL", "PONG_WAIT", "PONG_WIAT"]

    assert meant_in_environment("BACKEND_URL", KNOWN, present=present) is None
    assert meant_in_environment("PONG_WIAT", KNOWN, present=present) == "PONG_WAIT"


def test_no_setting_is_a_slip_of_another():
    """Our own names never accuse each other."""
    assert not [n for n in KNOWN if meant_in_environment(n, KNOWN, present=KNOWN)]


def test_any_foreign_name_in_the_file_is_a_mistake(tmp_path):
    """Our own ``.env`` holds our settings only; the closest one is suggested."""
    path = tmp_path / ".env"
    path.write_text("INTERNAL_API_KEY=k\nPROT=80\nSOMETHING_ELSE=1\n")

    with pytest.raises(ConfigError) as caught:
        Settings.load({}, path)

    texts = {problem.name: problem.text for problem in caught.value.problems}
    assert texts.keys() == {"PROT", "SOMETHING_ELSE"}
    assert "did you mean PORT?" in texts["PROT"]
    assert "did you mean" not in texts["SOMETHING_ELSE"]


def test_a_name_is_shown_escaped_and_capped():
    """A hostile name in the environment cannot forge a line."""
    with pytest.raises(ConfigError) as caught:
        Settings.load({"INTERNAL_API_KEY": "k", "PONG\nWAIT": "1"}, None)

    (problem,) = caught.value.problems
    assert problem.name == r"PONG\nWAIT"


@pytest.mark.parametrize(
    ("left", "right", "steps"),
    [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("abc", "abc", 0), ("kitten", "sitting", 3)],
)
def test_distance_counts_slips(left, right, steps):
    """Insertions, deletions, replacements, and swaps of neighbours count one each."""
    assert distance(left, right) == steps
    assert distance(right, left) == steps


def test_meant_in_file_knows_when_nothing_is_close():
    """A wild guess is worse than none."""
    assert meant_in_file("DATABASE_URL", KNOWN) is None
    assert meant_in_file("BACKEND_URL", KNOWN) == "BACKEND_API_URL"
