"""Laws of what is printed from the code: documents and code never say different things."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import get_args

import attrs
import pytest

from gogate_trio import limits
from gogate_trio.config import Settings, env_example, settings_table, with_settings_table
from gogate_trio.config.declare import entries
from gogate_trio.config.dotenv import parse_dotenv
from gogate_trio.config.printing import TABLE_END, TABLE_START
from gogate_trio.internal.api import openapi, problems
from gogate_trio.internal.api.operations import OPERATIONS
from gogate_trio.protocol import close, events, handshake, refusals
from gogate_trio.protocol.commands import Command

ROOT = Path(__file__).parent.parent
JOURNAL_FIELDS = {"GOGATE_NODE", "GOGATE_CONNECTION", "GOGATE_USER", "TRACE_ID", "CODE_FILE"}
"""Those of the log's entries that a document names: see tests/log/test_journal.py."""

NAMES = [entry.setting.name for entry in entries(Settings)]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(#?)([^)\s]*)\)")
VARIABLE = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`")
CODES = [name for name in vars(refusals) if name.isupper()]
PROBLEMS = [one.code for one in vars(problems).values() if isinstance(one, problems.Problem)]


def test_env_example_is_what_the_code_prints():
    """``.env.example`` is up to date: write it anew with ``gogate config --as env``."""
    assert (ROOT / ".env.example").read_text() == env_example()


def test_env_example_is_a_valid_env_that_changes_nothing(tmp_path):
    """Copied to ``.env`` as it is, it leaves every default in force."""
    path = tmp_path / ".env"
    path.write_text(env_example())

    copied = Settings.load({}, path)

    assert copied == Settings.load({"INTERNAL_API_KEY": "your_secure_random_key_here"}, None)


def test_every_line_of_env_example_can_be_uncommented(tmp_path):
    """With the hash taken away, each setting's line is valid and states its default."""
    lines = []
    for line in env_example().splitlines():
        bare = line.removeprefix("# ")
        lines.append(bare if bare.partition("=")[0] in NAMES else line)
    path = tmp_path / ".env"
    path.write_text("\n".join(lines))

    loaded = Settings.load({}, path)

    assert list(parse_dotenv(path.read_text()).lines) == NAMES
    assert loaded == Settings.load({"INTERNAL_API_KEY": "your_secure_random_key_here"}, None)


def test_the_table_has_a_row_for_every_setting():
    """Each row has four cells and names its variable and default."""
    rows = settings_table().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == NAMES
    assert all(row.replace(r"\|", "").count("|") == 5 for row in rows)


def test_documents_hold_the_table_of_today():
    """Where a document has the markers, ``gogate config --as markdown`` stands between them."""
    texts = {path.name: path.read_text() for path in DOCUMENTS}
    with_table = {name: text for name, text in texts.items() if TABLE_START in text}

    assert {name: with_settings_table(text) for name, text in with_table.items()} == with_table


def test_the_table_goes_between_the_markers():
    """Only what stands between the markers changes, and doing it twice changes nothing."""
    once = with_settings_table(f"before\n{TABLE_START}old{TABLE_END}\nafter")

    assert once == f"before\n{TABLE_START}\n\n{settings_table()}\n\n{TABLE_END}\nafter"
    assert with_settings_table(once) == once


@pytest.mark.parametrize(
    "document",
    ["", TABLE_START, TABLE_END + TABLE_START, (TABLE_START + TABLE_END) * 2],
)
def test_a_document_without_one_pair_of_markers_is_refused(document):
    """A table is never put in a guessed place."""
    with pytest.raises(ValueError, match="needs one"):
        with_settings_table(document)


# ── the protocol, for authors of clients ─────────────────────────────────────

PROTOCOL = ROOT / "docs" / "protocol.md"


def rows(name, document=PROTOCOL):
    """The cells of a table of a document, by the name in its markers."""
    text = document.read_text()
    table = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def values_of(module, kind):
    """All values of a kind in a catalogue, in its order."""
    return [value for value in vars(module).values() if isinstance(value, kind)]


def keys_of(*classes):
    """The keys of ``data``, those that all of the classes have first."""
    names = dict.fromkeys(field.name for each in classes for field in attrs.fields(each))
    return ", ".join(f"`{name}`" for name in names)


def test_every_command_is_documented():
    """The table of commands names each event and its keys."""
    classes = {_snake(each.__name__): each for each in get_args(Command)}

    assert {row[0]: row[1] for row in rows("commands")} == {
        f"`{name}`": keys_of(each) for name, each in classes.items()
    }


def test_every_event_is_documented():
    """The table of events names each event and its keys."""
    classes = defaultdict(list)
    for each in get_args(events.Event):
        classes[each.NAME].append(each)
    told = {row[0]: row[1] for row in rows("events")}
    assert told.pop("`new_message`") == "the backend's message, untouched"
    del classes["new_message"]

    assert told == {f"`{name}`": keys_of(*each) for name, each in classes.items()}


def test_every_error_is_documented():
    """The table of errors has each code of the catalogue with its text, and each only once."""
    told = [(row[0].strip("`"), row[1].removesuffix(": …")) for row in rows("errors")]
    known = [(one.code, one.message) for one in values_of(refusals, refusals.Refusal)]
    in_place = [refusals.BACKEND_UNAVAILABLE, refusals.OUTCOME_UNKNOWN]

    assert sorted(told) == sorted([*known, *((code, "one of the above") for code in in_place)])


def test_every_end_of_a_connection_is_documented():
    """The table of close codes has each code a client can be told, with its reason."""
    told = [(int(row[0]), row[1]) for row in rows("closes")]
    ends = [*values_of(close, close.Hangup), close.backend_away(2.0), close.restart(2000)]
    known = [(one.code, re.sub(r"=[0-9]+", "=…", one.text)) for one in ends]

    assert sorted(told) == sorted({end for end in known if end[0] != close.SILENT})


def test_every_status_is_documented():
    """The table of statuses has each HTTP refusal there is."""
    told = [(int(row[0]), row[1]) for row in rows("statuses")]
    known = {(one.code, one.phrase) for one in values_of(handshake, handshake.Status)}

    assert sorted(told) == sorted(known)


@pytest.mark.parametrize("name", ["commands", "events", "errors", "closes", "statuses"])
def test_every_row_says_what_it_means(name):
    """A row has three cells and none is empty: the last one is written by hand."""
    assert all(len(row) == 3 and all(row) for row in rows(name))


@pytest.mark.parametrize(
    "phrase",
    [
        f"1 to {limits.EMOJI_CHARACTERS} characters",
        f"1 to {limits.READ_BATCH} ids",
        f"at most {limits.ATTACHMENTS} attachments",
        f"at most {limits.TOKEN_BYTES} visible",
        f"{limits.PENDING_COMMANDS} of your commands",
        f"typing in {limits.PENDING_TYPING} chats",
        f"up to {limits.PRESENCE_CHATS} chats",
        f"for {limits.PRESENCE_GRACE_SECONDS:.0f} seconds",
        f"{limits.OUTBOX_FRAMES} events or {limits.OUTBOX_BYTES // 1024**2} MiB",
        f"latest {limits.KNOWN_MESSAGES:,}",
        f"1 to {limits.COMMAND_ID_CHARACTERS} characters",
        f"for {limits.OUTCOME_SECONDS / 60:.0f} minutes and for {limits.OUTCOMES} commands",
        f"within {limits.HANDSHAKE_SECONDS:.0f} seconds",
        f"More than {limits.HEADERS} headers, or {limits.HEAD_BYTES} bytes",
    ],
)
def test_the_protocol_names_the_limits_of_today(phrase):
    """Numbers in the running text are those of the code."""
    assert phrase in " ".join(PROTOCOL.read_text().split())


# ── the internal API, for the backend ────────────────────────────────────────

API = ROOT / "docs" / "internal-api.md"


def test_the_openapi_document_is_what_the_code_prints():
    """Write it anew with ``python -m gogate_trio.internal.api.openapi FILE``."""
    assert (ROOT / "docs" / "internal-api.openapi.json").read_bytes() == openapi.document()


def test_every_operation_is_documented():
    """The table names the method and the path of each, in the order of the code."""
    told = [row[0].strip("`") for row in rows("operations", API)]

    assert told == [f"{each.method} {each.path}" for each in OPERATIONS]


def test_every_problem_is_documented():
    """The table has each code with its status."""
    told = {(row[0].strip("`"), int(row[1])) for row in rows("problems", API)}

    assert told == {(one.code, one.status) for one in values_of(problems, problems.Problem)}


@pytest.mark.parametrize(
    "phrase",
    [
        f"at most {limits.API_USERS:,}",
        f"within {limits.ONCE_SECONDS / 60:.0f} minutes",
        f"{limits.API_AT_ONCE} requests",
        f"at most {limits.API_BODY_BYTES:,} bytes",
        f"more than {limits.API_SECONDS:.0f} seconds",
        f"within {limits.HANDSHAKE_SECONDS:.0f} seconds",
    ],
)
def test_the_api_names_the_limits_of_today(phrase):
    """Numbers in the running text are those of the code."""
    assert phrase in " ".join(API.read_text().split())


# ── all documents ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    """What a document links to in this project is there, to the heading."""
    for target, _, heading in LINK.findall(document.read_text()):
        path = (document.parent / target) if target else document
        assert path.exists(), target
        assert not heading or heading in _headings(path), f"{target}#{heading}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_variables_that_are_named_exist(document):
    """A document names no setting that is misspelt or gone."""
    named = set(VARIABLE.findall(document.read_text()))

    assert named <= {*NAMES, *CODES, *PROBLEMS, *JOURNAL_FIELDS}


def _headings(path):
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


def _snake(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
