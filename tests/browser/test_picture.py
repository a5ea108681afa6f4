"""The picture of the README: drawn here from a chat under way, never by hand."""

from __future__ import annotations

import shutil
from base64 import b64encode

from playwright.sync_api import expect

from fixtures.chatpage import JANE, JOHN, TEAM

DESKTOP = {"viewport": {"width": 1000, "height": 760}}
PHONE = {
    "viewport": {"width": 360, "height": 760},
    "is_mobile": True,
    "color_scheme": "dark",
}
FRAME = """
<style>
  body {{ margin: 0; padding: 26px; display: flex; gap: 26px; background: #dfdcf5; }}
  img {{ height: 760px; border-radius: 14px; box-shadow: 0 12px 36px rgb(40 30 90 / 25%); }}
  img + img {{ border-radius: 30px; }}
</style>
<img src="data:image/png;base64,{desktop}"><img src="data:image/png;base64,{phone}">
"""
SMALLEST, LARGEST = 60_000, 300_000
"""bytes: less is an empty page, more makes the README slow to open"""


def test_the_picture_of_the_readme(demo, person, open_context, tmp_path, pytestconfig):
    """Two people in one chat, one at a desk and one on the way: the README's picture.

    Written into the README's place with ``--picture docs/images/chat.png``.
    """
    john = person(demo, JOHN, chat=TEAM, **DESKTOP)
    jane = person(demo, JANE, chat=TEAM, **PHONE)
    jane.say("Friday by the river it is. I bring the lanterns!")
    john.react("Friday by the river it is", "🎉")
    john.say("And I bring the cake 🍰")
    expect(jane.message("And I bring the cake")).to_be_visible()
    status = john.in_message("And I bring the cake", "message-status")
    expect(status).to_have_attribute("data-status", "read")
    john.type("Lemon, as always?")
    expect(jane.see("typing-line")).to_contain_text("John")
    jane.type("Just one wish")
    expect(john.see("typing-line")).to_contain_text("Jane")

    path = tmp_path / "chat.png"
    _draw(open_context().new_page(), john.page, jane.page, path)

    assert SMALLEST < path.stat().st_size < LARGEST
    if (wanted := pytestconfig.getoption("--picture")) is not None:
        shutil.copy(path, wanted)


def _draw(easel, desktop, phone, path):
    """Put the two pages side by side."""
    desktop.mouse.move(0, 0)
    shots = [
        b64encode(page.screenshot(animations="disabled")).decode() for page in (desktop, phone)
    ]
    easel.set_viewport_size({"width": 1438, "height": 812})
    easel.set_content(FRAME.format(desktop=shots[0], phone=shots[1]))
    easel.screenshot(path=path)
