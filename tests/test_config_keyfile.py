"""Laws of secrets in files, and of settings that go together."""

from __future__ import annotations

import os

import pytest

from gogate_trio.config import ConfigError, Settings, Source, effective_settings

SECRET = "correct-horse-battery-staple"
OTHER = "another-horse-altogether"


@pytest.fixture
def key_file(tmp_path):
    """Write a key file; call with its bytes. Returns its name."""

    def write(content, name="key"):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture
def dotenv(tmp_path):
    """Write a ``.env`` file; call with its text."""

    def write(text):
        path = tmp_path / ".env"
        path.write_text(text)
        return path

    return write


def key_of(environ, dotenv=None):
    """The key these sources give, and where it came from."""
    settings = Settings.load(environ, dotenv)
    return settings.backend.internal_api_key.reveal(), settings.sources["INTERNAL_API_KEY"]


def mistakes(environ, dotenv=None):
    """The problems of these sources, as name → text."""
    with pytest.raises(ConfigError) as caught:
        Settings.load(environ, dotenv)
    return {problem.name: problem.text for problem in caught.value.problems}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_key_file_is_read_without_its_last_line_break(key_file, end):
    """What an editor or ``echo`` leaves at the end is no part of the key."""
    named = {"INTERNAL_API_KEY_FILE": key_file(SECRET.encode() + end)}

    assert key_of(named) == (SECRET, Source.FILE)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"secret\n\n", "ends with a blank or a line break"),
        (b"se cret\n", "character 3 is not visible ASCII"),
        (b"s\xc3\xa9cret", "character 2 is not visible ASCII"),
        (b"k" * 4097, "is longer than 4096 characters"),
        (b"k" * 4096 + b"\r\nx", "is longer than 4096 characters"),
    ],
)
def test_what_is_no_key_is_refused_as_in_a_variable(key_file, content, said):
    """The content of a file obeys the rules of a key, and none of it is repeated."""
    found = mistakes({"INTERNAL_API_KEY_FILE": key_file(content)})

    where = "(in the file of INTERNAL_API_KEY_FILE, environment)"
    assert found == {"INTERNAL_API_KEY": f"{said} {where}"}


def test_the_longest_key_may_stand_in_a_file(key_file):
    """A key of 4096 characters and a line break are read whole."""
    assert key_of({"INTERNAL_API_KEY_FILE": key_file(b"k" * 4096 + b"\r\n")})[0] == "k" * 4096


@pytest.mark.parametrize("name", ["nowhere", ".", "x" * 5000])
def test_a_file_that_cannot_be_read_is_a_mistake_of_its_variable(tmp_path, name):
    """A missing file, a folder or an impossible name is told once, naming INTERNAL_API_KEY_FILE."""
    found = mistakes({"INTERNAL_API_KEY_FILE": str(tmp_path / name)})

    assert found.keys() == {"INTERNAL_API_KEY_FILE"}


def test_a_pipe_is_not_waited_for(tmp_path):
    """A key file that is a pipe nobody writes to is refused at once."""
    os.mkfifo(tmp_path / "pipe")

    found = mistakes({"INTERNAL_API_KEY_FILE": str(tmp_path / "pipe")})

    assert "no regular file" in found["INTERNAL_API_KEY_FILE"]


def test_a_file_others_own_is_told_as_such(key_file, monkeypatch):
    """What the system says against reading is passed on."""

    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    named = {"INTERNAL_API_KEY_FILE": key_file(b"x")}
    monkeypatch.setattr("pathlib.Path.open", refuse)

    assert "Permission denied" in mistakes(named)["INTERNAL_API_KEY_FILE"]


def test_key_and_file_from_one_source_contradict(key_file, dotenv):
    """Nobody can say which was meant."""
    name = key_file(SECRET.encode())
    both = {"INTERNAL_API_KEY": OTHER, "INTERNAL_API_KEY_FILE": name}

    found = mistakes(both)
    in_file = mistakes({}, dotenv("".join(f"{key}={value}\n" for key, value in both.items())))

    assert found.keys() == in_file.keys() == {"INTERNAL_API_KEY_FILE"}
    assert OTHER not in str(found)
    assert SECRET not in str(found)


def test_the_environment_wins_over_the_file_for_either_way(key_file, dotenv):
    """A key or a key file in the environment overrules what ``.env`` says."""
    name = key_file(SECRET.encode())

    assert key_of({"INTERNAL_API_KEY": OTHER}, dotenv(f"INTERNAL_API_KEY_FILE={name}\n")) == (
        OTHER,
        Source.ENVIRONMENT,
    )
    assert key_of({"INTERNAL_API_KEY_FILE": name}, dotenv(f"INTERNAL_API_KEY={OTHER}\n")) == (
        SECRET,
        Source.FILE,
    )


def test_an_empty_file_name_is_none():
    """Container tools pass variables on that are set to nothing."""
    assert key_of({"INTERNAL_API_KEY": OTHER, "INTERNAL_API_KEY_FILE": ""})[0] == OTHER


def test_a_systemd_credential_serves_when_nothing_is_set(key_file, tmp_path):
    """``LoadCredential=internal_api_key:…`` in the unit is enough."""
    key_file(SECRET.encode() + b"\n", "internal_api_key")
    handed = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert key_of(handed) == (SECRET, Source.CREDENTIAL)
    assert key_of(handed | {"INTERNAL_API_KEY": OTHER}) == (OTHER, Source.ENVIRONMENT)
    assert key_of(handed | {"INTERNAL_API_KEY_FILE": key_file(OTHER.encode())})[0] == OTHER


def test_no_such_credential_is_a_missing_key(tmp_path):
    """A service may have credentials that are none of ours."""
    found = mistakes({"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert found["INTERNAL_API_KEY"].startswith("is missing")


def test_a_bad_credential_names_itself(key_file, tmp_path):
    """The operator learns which of the three ways went wrong."""
    key_file(b"two words", "internal_api_key")

    found = mistakes({"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert "systemd credential internal_api_key" in found["INTERNAL_API_KEY"]


def test_the_key_from_a_file_does_not_print(key_file):
    """``gogate config`` shows where the key came from, and nothing of it."""
    settings = Settings.load({"INTERNAL_API_KEY_FILE": key_file(SECRET.encode())}, None)

    shown = {one.name: one for one in effective_settings(settings)}

    assert shown["INTERNAL_API_KEY"].text == "***"
    assert shown["INTERNAL_API_KEY"].source.value == "key file"
    assert SECRET not in f"{settings}{shown}"


@pytest.mark.parametrize(("given", "missing"), [("TLS_CERT", "TLS_KEY"), ("TLS_KEY", "TLS_CERT")])
def test_half_of_a_pair_is_a_mistake(given, missing):
    """A certificate without its key, or a key without its certificate, does not start."""
    found = mistakes({"INTERNAL_API_KEY": SECRET, given: "x.pem"})

    assert found.keys() == {missing}
    assert f"{given} is set" in found[missing]


def test_both_or_neither_of_a_pair_are_fine():
    """Empty means not given."""
    pair = {"INTERNAL_API_KEY": SECRET, "TLS_CERT": "c.pem", "TLS_KEY": "k.pem"}
    neither = {"INTERNAL_API_KEY": SECRET, "TLS_CERT": "", "TLS_KEY": ""}

    assert Settings.load(pair, None).tls.cert == "c.pem"
    assert Settings.load(neither, None).tls == Settings.load({"INTERNAL_API_KEY": SECRET}, None).tls
