"""The console in a real browser: behind the key, live, and deaf to markup in names."""

from __future__ import annotations

import os
import re
import shutil
import signal

import pytest
from playwright.sync_api import expect

from fixtures.busyhouse import HOSTILE, busy_house

DESKTOP = {"viewport": {"width": 1440, "height": 930}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "color_scheme": "dark"}
SMALLEST, LARGEST = 40_000, 600_000
"""bytes of the picture: less is an empty page"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A gateway with people on it."""
    with busy_house(tmp_path_factory.mktemp("house")) as house:
        yield house


def opened(context, house, key=None):
    """The console, and past its door if there is a key."""
    page = context.new_page()
    page.goto(f"{house.address}/console")
    if key is not None:
        page.get_by_label("Internal API key").fill(key)
        page.get_by_role("button", name="Open").click()
    return page


def test_nothing_is_shown_without_the_key(open_context, house):
    """Neither without one nor with a wrong one; and a wrong one is forgotten."""
    context = open_context(**DESKTOP)
    context.on("response", lambda got: statuses.append(got.status))
    statuses = []
    page = opened(context, house)
    expect(page.locator("#house")).to_be_hidden()
    page.get_by_label("Internal API key").fill("wrong key")
    page.get_by_role("button", name="Open").click()

    expect(page.get_by_role("alert")).to_have_text("A key is visible ASCII without blanks.")
    expect(page.locator("#house")).to_be_hidden()
    assert page.evaluate("sessionStorage.length") == 0
    assert statuses == [200]


def test_the_house_is_live(open_context, house):
    """Numbers move by themselves; the key is in this tab and nowhere else."""
    context = open_context(**DESKTOP)
    page = opened(context, house, house.key)

    expect(page.get_by_test_id("node-name")).to_have_text("chat-1")
    expect(page.get_by_test_id("part-backend")).to_have_text("backend: closed")
    expect(page.get_by_test_id("pulse")).to_have_attribute("data-state", "live")
    deliveries = page.get_by_test_id("card-deliveries").locator(".value")
    expect(deliveries).to_have_text(re.compile(r"^[1-9]"))
    expect(page.get_by_test_id("card-delivery").locator(".value")).to_have_text(re.compile("ms|µs"))
    expect(page.get_by_test_id("card-deliveries").locator("path.line")).to_have_attribute(
        "d", re.compile(r"^M.*L")
    )
    expect(page.get_by_test_id("slowest")).to_contain_text("Sleepy Sam")
    expect(page.get_by_test_id("nodes")).to_contain_text("chat-1 (this one)")
    assert house.key not in page.content()
    assert house.key not in page.url
    assert page.evaluate("localStorage.length") == 0
    assert context.cookies() == []

    page.reload()
    expect(page.get_by_test_id("node-name")).to_have_text("chat-1")
    page.get_by_role("button", name="Forget the key").click()
    expect(page.locator("#door")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_markup_in_names_and_reasons_is_text(open_context, house):
    """A name is other people's word: it is shown as it is, and does nothing."""
    page = opened(open_context(**DESKTOP), house, house.key)

    expect(page.get_by_test_id("newest")).to_contain_text(HOSTILE)
    expect(page.get_by_test_id("ends")).to_contain_text("<b>logged out</b>")
    assert page.locator("table img, table b").count() == 0


def test_redis_has_a_card_where_there_is_one(open_context, house):
    """And none where a node is alone by design."""
    page = opened(open_context(**DESKTOP), house, house.key)
    card = page.get_by_test_id("card-redis")
    expect(page.get_by_test_id("card-backend")).to_be_visible()
    expect(card).to_be_hidden()

    def with_redis(route):
        answer = route.fetch()
        redis = {"state": "detached", "behind": 7, "behind_seconds": 2.0, "backlog": 12}
        route.fulfill(response=answer, json=answer.json() | {"redis": redis})

    page.route("**/overview", with_redis)
    expect(card).to_contain_text("7 publications behind")
    expect(card).to_contain_text("detached")
    expect(card).to_have_class("card bad")
    page.unroute_all(behavior="wait")


def test_no_other_script_runs_and_nothing_else_is_loaded(open_context, house):
    """The policy names the two parts of the page, and the browser keeps to it."""
    context = open_context(**DESKTOP)
    loaded = []
    context.on("request", lambda asked: loaded.append(asked.url))
    page = opened(context, house, house.key)
    expect(page.get_by_test_id("node-name")).to_have_text("chat-1")
    policy = context.request.get(f"{house.address}/console").headers["content-security-policy"]

    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    paths = {url.removeprefix(house.address) for url in loaded if not url.startswith("data:")}
    assert paths == {"/console", "/api/internal/v1/overview"}


def test_a_node_that_does_not_answer_is_said_to_be_away(open_context, house):
    """What was seen last stays, and the page goes on by itself when the node is back."""
    page = opened(open_context(**PHONE), house, house.key)
    pulse = page.get_by_test_id("pulse")
    expect(pulse).to_have_attribute("data-state", "live")
    os.kill(house.pid, signal.SIGSTOP)
    try:
        expect(pulse).to_have_attribute("data-state", "away")
        expect(page.get_by_test_id("node-name")).to_have_text("chat-1")
    finally:
        os.kill(house.pid, signal.SIGCONT)

    expect(pulse).to_have_attribute("data-state", "live")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_picture_of_the_console(open_context, house, tmp_path, pytestconfig):
    """Drawn from a house with people in it: ``--console-picture docs/images/console.png``."""
    page = opened(open_context(**DESKTOP), house, house.key)
    expect(page.get_by_test_id("newest")).to_contain_text("Ann Lee")
    expect(page.get_by_test_id("ends")).to_contain_text("4503")
    path, wanted = tmp_path / "console.png", pytestconfig.getoption("--console-picture")
    # A line needs some points to be one; the README's has a minute of them.
    page.wait_for_timeout(60_000 if wanted else 3_000)
    page.screenshot(path=path, animations="disabled")

    assert SMALLEST < path.stat().st_size < LARGEST
    if wanted is not None:
        shutil.copy(path, wanted)
