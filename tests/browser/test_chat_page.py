"""The chat page of the demo in a real browser: two people, two pages, one chat."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from fixtures.chatpage import JANE, JOHN, JOHN_AND_JANE, PHONE, TEAM
from fixtures.demo import running_demo


@pytest.fixture
def john(demo, person):
    """John, with the team's chat open."""
    return person(demo, JOHN, chat=TEAM)


@pytest.fixture
def jane(demo, person):
    """Jane, with the team's chat open."""
    return person(demo, JANE, chat=TEAM)


def test_one_picks_who_to_be(demo, open_context):
    """The page first asks who one is, and is then that person's."""
    page = open_context().new_page()
    page.goto(demo.page)

    page.get_by_test_id(f"person-{JANE}").click()

    expect(page.get_by_test_id("me")).to_contain_text("Jane Smith")
    expect(page.get_by_test_id("connection-state")).to_have_text("Online")


def test_the_second_tab_is_somebody_else(john):
    """The link at the side opens a tab in which one is another person."""
    with john.page.expect_popup() as popup:
        john.see("second-person").click()

    expect(popup.value.get_by_test_id("me")).to_contain_text("Jane Smith")


def test_one_types_and_the_other_sees_it(john, jane):
    """What one types shows as a typing line, then as a message, and at last as read."""
    jane.type("Friday is perfect")
    expect(john.see("typing-line")).to_contain_text("Jane")

    jane.page.keyboard.press("Enter")

    expect(john.message("Friday is perfect")).to_have_attribute("data-author-id", str(JANE))
    expect(john.see("typing-line")).to_be_empty()
    status = jane.in_message("Friday is perfect", "message-status")
    expect(status).to_have_attribute("data-status", "read")


def test_a_message_nobody_has_seen_is_not_read(demo, person, jane):
    """A read mark needs a reader: who has another chat open sees a badge, then the message."""
    john = person(demo, JOHN, chat=JOHN_AND_JANE)
    badge = john.see(f"unread-{TEAM}")
    before = int(badge.inner_text()) if badge.count() else 0

    jane.say("Is anybody there?")

    expect(badge).to_have_text(str(before + 1))
    status = jane.in_message("Is anybody there?", "message-status")
    expect(status).to_have_attribute("data-status", "sent")

    john.open(TEAM)

    expect(status).to_have_attribute("data-status", "read")
    expect(badge).to_have_count(0)


def test_a_reaction_shows_on_both_sides(john, jane):
    """A reaction appears with its count; for the one who gave it as pressed."""
    jane.say("We have a date")

    john.react("We have a date", "🎉")

    for somebody, pressed in ((john, "true"), (jane, "false")):
        chip = somebody.in_message("We have a date", "reaction")
        expect(chip).to_have_attribute("data-emoji", "🎉")
        expect(chip).to_have_attribute("data-count", "1")
        expect(chip).to_have_attribute("aria-pressed", pressed)


def test_a_reply_quotes_what_it_answers(john, jane):
    """A reply shows the message it answers, on both sides."""
    jane.say("Who brings the cake?")
    john.message("Who brings the cake?").hover()
    john.in_message("Who brings the cake?", "reply-button").click()

    john.say("I do")

    quote = jane.page.locator("[data-testid=message]").last.get_by_test_id("quote")
    expect(quote).to_contain_text("Who brings the cake?")


def test_markup_is_shown_as_it_was_typed(john, jane):
    """A message is text: tags in it are neither run nor hidden."""
    text = "<img src=x onerror=alert(1)> & <b>bold</b>"

    jane.say(text)

    expect(john.page.get_by_test_id("message-text").last).to_have_text(text)


def test_without_a_network_it_is_offline_until_it_is_back(john, jane):
    """A browser without a network shows it; what is written meanwhile goes out afterwards."""
    jane.page.context.set_offline(True)
    jane.is_in_state("offline")
    jane.say("From the tunnel")
    expect(jane.page.locator("[data-state=sending]")).to_contain_text("From the tunnel")

    jane.page.context.set_offline(False)

    jane.is_in_state("online")
    expect(john.message("From the tunnel")).to_be_visible()
    expect(jane.message("From the tunnel")).to_be_visible()


def test_both_come_back_after_a_restart(tmp_path, person):
    """A restart shows as reconnecting and then passes, and nothing said is lost or said twice."""
    with running_demo(tmp_path) as first:
        john = person(first, JOHN, chat=TEAM)
        jane = person(first, JANE, chat=TEAM)
        jane.say("Before the restart")
        expect(john.message("Before the restart")).to_be_visible()
    for somebody in (john, jane):
        somebody.is_in_state("reconnecting")
    jane.say("During the restart")

    with running_demo(tmp_path, port=first.port, backend_port=first.backend_port):
        for somebody in (john, jane):
            somebody.is_in_state("online")
            expect(somebody.message("During the restart")).to_have_count(1)
            expect(somebody.message("Before the restart")).to_have_count(1)


def test_on_a_phone_one_thing_at_a_time_fills_the_screen(demo, person, jane):
    """A phone shows the list or one chat, never wider than its screen, and chats all the same."""
    john = person(demo, JOHN, **PHONE)
    expect(john.see("conversation")).to_be_hidden()

    john.open(TEAM)

    expect(john.see("chat-list")).to_be_hidden()
    jane.say("Can you read this on the way?")
    expect(john.message("Can you read this on the way?")).to_be_in_viewport()
    john.say("Yes")
    expect(jane.message("Yes").last).to_be_visible()
    assert john.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    john.see("back-button").click()

    expect(john.see("chat-list")).to_be_visible()
    expect(john.see("conversation")).to_be_hidden()
