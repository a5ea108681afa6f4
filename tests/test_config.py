"""Laws of reading the settings: who wins, what is refused, and that nothing leaks."""

from __future__ import annotations

import json
import pickle

import attrs
import pytest

from gogate_trio.config import ConfigError, Secret, Settings, Source, effective_settings
from gogate_trio.config.declare import entries
from gogate_trio.errors import OperatorError

KEY = {"INTERNAL_API_KEY": "correct-horse-battery-staple"}


def load(environ=None, dotenv=None):
    """The settings of this environment, with a key."""
    return Settings.load(KEY | (environ or {}), dotenv)


def mistakes(environ, dotenv=None):
    """The problems of this environment, as name → text."""
    with pytest.raises(ConfigError) as caught:
        Settings.load(environ, dotenv)
    return {problem.name: problem.text for problem in caught.value.problems}


@pytest.fixture
def dotenv(tmp_path):
    """Write a ``.env`` file; call with its text or bytes."""

    def write(content):
        path = tmp_path / ".env"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_defaults_are_the_go_programs():
    """With nothing but a key, every setting of the Go program has the Go program's default."""
    settings = load()

    assert settings.listen.port == 8080
    assert settings.backend.url == "http://localhost:8000"
    assert settings.websocket.max_message_size == 512_000
    assert settings.websocket.read_buffer_size == 1024
    assert settings.websocket.write_buffer_size == 1024
    assert settings.websocket.ping_period == 54.0
    assert settings.websocket.pong_wait == 60.0
    assert settings.websocket.write_wait == 10.0
    assert settings.backend.timeout == 10.0


def test_every_variable_reaches_its_attribute():
    """Each variable changes exactly one attribute, and no two share a name."""
    samples = {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "TLS_CERT": "cert.pem",
        "TLS_KEY": "key.pem",
        "BACKEND_API_URL": "https://api.example.org/v2/",
        "INTERNAL_API_KEY": "another",
        "BACKEND_DIALECT": "symfony",
        "BACKEND_TIMEOUT": "3",
        "BACKEND_MAX_CALLS": "9",
        "BACKEND_QUEUE": "5",
        "BACKEND_TRANSPORT": "httpx",
        "MAX_MESSAGE_SIZE": "2048",
        "READ_BUFFER_SIZE": "4096",
        "WRITE_BUFFER_SIZE": "8192",
        "PING_PERIOD": "5s",
        "PONG_WAIT": "1m30s",
        "WRITE_WAIT": "500ms",
        "AUTH_TIMEOUT": "7",
        "AUTH_COOKIE": "access_token",
        "AUTH_CONCURRENCY": "4",
        "TOKEN_GRACE": "1m",
        "TOKEN_RECHECK": "0",
        "MAX_CONNECTIONS": "100",
        "MAX_UNAUTHENTICATED": "50",
        "MAX_CONNECTIONS_PER_IP": "0",
        "MAX_CONNECTIONS_PER_USER": "3",
        "USER_CONNECTIONS_KEEP": "oldest",
        "RATE_HANDSHAKES": "5/s burst 9",
        "TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.1",
        "ALLOWED_ORIGINS": "https://chat.example.org,https://*.example.net:8443",
        "ALLOW_MISSING_ORIGIN": "false",
        "RATE_MESSAGES": "2/s",
        "RATE_TYPING": "3/m burst 5",
        "RATE_REACTIONS": "off",
        "RATE_READS": "1/s",
        "RATE_AUTH": "2/s",
        "RATE_CONTROL": "9/s",
        "RESUME_WINDOW": "1m",
        "RESUME_EVENTS": "77",
        "PRESENCE": "true",
        "PRESENCE_MEMBERS": "7",
        "MEMBERSHIP_TTL": "1",
        "MEMBERSHIP_STALE": "2m",
        "REUSE_PORT": "true",
        "REDIS_URL": "redis://gogate:secret@[::1]:7000/3",
        "REDIS_CA": "authority.pem",
        "REDIS_PREFIX": "chat-2",
        "REDIS_TIMEOUT": "250ms",
        "NODE_NAME": "east-1",
        "INTERNAL_HOST": "::1",
        "INTERNAL_PORT": "9090",
        "INTERNAL_API_TOKENS": "one-key,another-key",
        "DRAIN_TIMEOUT": "30",
        "DRAIN_SPREAD": "5s",
        "STATE_DIR": "/var/lib/gogate",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "TRACING": "true",
    }
    together = {"TLS_CERT": {"TLS_KEY": "k"}, "TLS_KEY": {"TLS_CERT": "c"}}

    before = {s.name: s.text for s in effective_settings(load())}
    for name, text in samples.items():
        also = together.get(name, {})
        changed = load({name: text} | also)
        after = {s.name: s.text for s in effective_settings(changed)}
        different = {n for n in after if after[n] != before[n]}
        assert different == ({name, *also} if name != "INTERNAL_API_KEY" else set())
        assert changed != load()

    assert samples.keys() | {"INTERNAL_API_KEY_FILE", "REDIS_URL_FILE"} == before.keys()
    # for those two see test_config_keyfile
    assert len(before) == len(list(entries(Settings)))


def test_environment_wins_over_file_over_default(dotenv):
    """The environment is stronger than ``.env``, which is stronger than the default."""
    path = dotenv("PORT=1111\nWRITE_WAIT=3s\n")

    settings = load({"PORT": "2222"}, path)

    assert (settings.listen.port, settings.websocket.write_wait) == (2222, 3.0)
    assert settings.sources["PORT"] is Source.ENVIRONMENT
    assert settings.sources["WRITE_WAIT"] is Source.DOTENV
    assert settings.sources["PONG_WAIT"] is Source.DEFAULT


def test_systemds_state_directory_serves_unless_another_is_set(dotenv):
    """The unit's first one; a setting wins, also an empty one, which is off."""
    handed = {"STATE_DIRECTORY": "/var/lib/gogate:/var/lib/other"}

    settings = load(handed)

    assert settings.state.folder == "/var/lib/gogate"
    assert settings.sources["STATE_DIR"] is Source.SYSTEMD
    assert load(handed | {"STATE_DIR": ""}).state.folder == ""
    assert load(handed, dotenv("STATE_DIR=/srv/gogate\n")).state.folder == "/srv/gogate"
    assert load().state.folder == ""


def test_a_bad_value_is_not_replaced_by_a_weaker_one(dotenv):
    """An unreadable value in the environment is a mistake even if ``.env`` has a good one."""
    assert "PORT" in mistakes(KEY | {"PORT": "x"}, dotenv("PORT=1111"))


def test_no_file_is_an_empty_file(tmp_path):
    """Without ``.env`` the environment and the defaults serve."""
    assert load({}, tmp_path / ".env") == load()


def test_all_mistakes_at_once(dotenv):
    """Every kind of mistake is reported in one go, each naming its variable."""
    found = mistakes(
        {"PORT": "80x", "PONG_WIAT": "1", "PING_PERIOD": "2m", "BACKEND_URL": "http://b"},
        dotenv("MAX_MESSAGE_SIZE=1\nnonsense\nPIN_PERIOD=3\nWRITE_WAIT='1\nLOG_LEVEL=loud\n"),
    )

    assert found.keys() == {
        ".env",
        "BACKEND_URL",
        "INTERNAL_API_KEY",
        "LOG_LEVEL",
        "MAX_MESSAGE_SIZE",
        "PING_PERIOD",
        "PIN_PERIOD",
        "PONG_WIAT",
        "PORT",
        "WRITE_WAIT",
    }


def test_the_error_is_the_operators_and_lists_one_problem_a_line():
    """``str()`` of the error is a title and one line for each problem, naming its variable."""
    with pytest.raises(OperatorError) as caught:
        Settings.load({"PORT": "80\n80", "LOG_LEVEL": "\x1b[31m"}, None)

    lines = str(caught.value).split("\n")
    assert lines[0] == "3 problems with the settings:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "PORT",
        "INTERNAL_API_KEY",
        "LOG_LEVEL",
    ]
    assert "\x1b" not in str(caught.value)


def test_a_mistake_says_where_it_stands(dotenv):
    """A problem names its source: the environment, or the line of ``.env``."""
    found = mistakes(KEY | {"PORT": "x"}, dotenv("\n# a comment\nWRITE_WAIT=soon\n"))

    assert found["PORT"].endswith("(environment)")
    assert found["WRITE_WAIT"].endswith("(.env line 3)")


def test_a_line_that_cannot_be_read_is_one_mistake(dotenv):
    """A required variable whose line is broken is not reported as missing on top."""
    assert mistakes({}, dotenv("INTERNAL_API_KEY='abc\n")).keys() == {"INTERNAL_API_KEY"}
    with pytest.raises(ConfigError) as caught:
        Settings.load({}, dotenv("INTERNAL_API_KEY='abc\n"))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("name", ["PORT", "BACKEND_API_URL", "LOG_LEVEL", "INTERNAL_API_KEY"])
def test_an_empty_value_is_a_mistake(name):
    """``NAME=`` is what a forgotten variable of Docker Compose expands to: never a default."""
    assert mistakes(KEY | {name: ""}).keys() == {name}


def test_an_empty_host_means_all_interfaces():
    """The one setting whose empty value has a meaning keeps it."""
    assert load({"HOST": ""}).listen.host == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "8080 "),
        ("PORT", "8_080"),
        ("PORT", "8080.0"),
        ("PORT", "٨٠٨٠"),
        ("PORT", "1" * 5000),
        ("PING_PERIOD", "nan"),
        ("PING_PERIOD", "inf"),
        ("PING_PERIOD", "-1"),
        ("PING_PERIOD", "1e3"),
        ("PING_PERIOD", "0"),
        ("PING_PERIOD", "10 s"),
        ("PING_PERIOD", "10x"),
        ("PING_PERIOD", "1m30"),
        ("DRAIN_TIMEOUT", "3601"),
        ("MAX_MESSAGE_SIZE", "0"),
        ("MAX_MESSAGE_SIZE", "500k"),
        ("BACKEND_MAX_CALLS", "0"),
        ("BACKEND_DIALECT", "django"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_what_is_not_exactly_a_value_is_refused(name, text):
    """Nothing is guessed, rounded or cut: the mistake is about this variable alone."""
    assert mistakes(KEY | {name: text}).keys() == {name}


@pytest.mark.parametrize(
    "environ",
    [
        {"PING_PERIOD": "60", "PONG_WAIT": "60"},
        {"PING_PERIOD": "61"},
        {"MEMBERSHIP_TTL": "61"},
        {"MEMBERSHIP_STALE": "9s"},
        {"DRAIN_SPREAD": "20s"},
    ],
)
def test_a_contradiction_is_a_mistake(environ):
    """Two settings that cannot work together are refused, both named with their values."""
    ((name, text),) = mistakes(KEY | environ).items()

    larger = {
        "PING_PERIOD": "PONG_WAIT",
        "MEMBERSHIP_TTL": "MEMBERSHIP_STALE",
        "DRAIN_SPREAD": "DRAIN_TIMEOUT",
    }
    assert f"{larger[name]} (" in text


def test_an_equal_ttl_and_stale_is_no_contradiction():
    """A list may serve exactly as long as it is fresh."""
    assert load({"MEMBERSHIP_TTL": "60", "MEMBERSHIP_STALE": "60"}).membership.ttl == 60.0


# ── secrets ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bad", ["hunter2 two", "hunter2\n", "hunter2é", "hunter2" * 1000])
def test_a_bad_key_is_not_repeated(bad, dotenv):
    """No part of a refused key is in the error, wherever it came from."""
    from_environment = mistakes({"INTERNAL_API_KEY": bad})
    from_file = mistakes({}, dotenv(f'INTERNAL_API_KEY="{bad.replace(chr(10), "")} "'))

    assert "hunter2" not in str(from_environment)
    assert "hunter2" not in str(from_file)


def test_a_password_in_the_url_is_not_repeated():
    """A URL with credentials is refused without a word of it."""
    found = mistakes(KEY | {"BACKEND_API_URL": "http://root:hunter2@db:80"})

    assert "hunter2" not in str(found)
    assert found.keys() == {"BACKEND_API_URL"}


def test_a_line_of_the_file_is_not_repeated(dotenv):
    """What cannot be read in ``.env`` may be a key: the message has its line number only."""
    path = dotenv(
        "hunter2\nexport hunter2 hunter2\nINTERNAL_API_KEY='hunter2\nLOG_LEVEL='x' hunter2"
    )

    assert "hunter2" not in str(mistakes({}, path))


def test_a_secret_does_not_print():
    """No way of turning the settings into text shows the key; only ``reveal`` does."""
    settings = load()
    key = settings.backend.internal_api_key

    shown = [repr(settings), str(key), f"{key}", f"{key!r}", json.dumps(key, default=repr)]
    shown.append(str(attrs.asdict(settings)))
    shown.append(str(effective_settings(settings)))
    assert not [text for text in shown if KEY["INTERNAL_API_KEY"] in text]
    assert key.reveal() == KEY["INTERNAL_API_KEY"]
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_secrets_compare_by_value():
    """Two secrets are equal when what they hide is."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
