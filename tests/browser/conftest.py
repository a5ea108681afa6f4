"""A real browser for tests: one Chromium a session, one context a person."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from fixtures.chatpage import DESKTOP, Person
from fixtures.demo import running_demo

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 15_000
"""milliseconds for what should take a few, on a machine that is busy"""


def pytest_addoption(parser):
    """``--picture PATH`` and ``--console-picture PATH`` draw the documents' pictures anew."""
    parser.addoption("--picture", type=Path, help="where to write the picture of the chat page")
    parser.addoption("--console-picture", type=Path, help="where to write that of the console")


@pytest.fixture(scope="session")
def chromium():
    """The browser, with a fresh profile."""
    found = [path for name in CHROMIUMS if (path := shutil.which(name))]
    assert found, "these tests need chromium: apt-get install chromium"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def demo(tmp_path):
    """A demo of this test's own."""
    with running_demo(tmp_path) as demo:
        yield demo


@pytest.fixture
def open_context(chromium):
    """Open a browser context of one's own: no page in it may raise or log an error.

    But for what the browser itself says about a network that is away.
    """
    contexts, complaints = [], []

    def opened(**options):
        context = chromium.new_context(**options)
        context.set_default_timeout(PATIENCE)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda said: complaints.extend(_complaint(said)))
        contexts.append(context)
        return context

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def person(open_context):
    """Open the page as somebody, in a browser of their own, and wait until it is online."""

    def opened(demo, user_id, *, chat=None, **options):
        page = open_context(**(options or DESKTOP)).new_page()
        page.goto(f"{demo.page}?user={user_id}")
        somebody = Person(page)
        somebody.is_in_state("online")
        if chat is not None:
            somebody.open(chat)
        return somebody

    return opened


def _complaint(said):
    if said.type == "error" and "net::ERR_" not in said.text:
        yield said.text
