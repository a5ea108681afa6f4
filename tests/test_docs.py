"""Laws of what is printed from the code: documents and code never say different things."""

from __future__ import annotations

from pathlib import Path

import pytest

from gogate_trio.config import Settings, env_example, settings_table, with_settings_table
from gogate_trio.config.declare import entries
from gogate_trio.config.dotenv import parse_dotenv
from gogate_trio.config.printing import TABLE_END, TABLE_START

ROOT = Path(__file__).parent.parent
NAMES = [entry.setting.name for entry in entries(Settings)]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


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
