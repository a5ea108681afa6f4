"""What has been said before the first start: the chats, their messages, two files."""

from __future__ import annotations

from typing import Final

import attrs

JOHN, JANE, KENJI, AMARA, LUCIA, NIKOLAI = range(1, 7)

TEAM: Final = 1
"""The chat of the integration guide: a group with users 1 and 2 in it."""

JOHN_AND_JANE: Final = 2
JANE_AND_KENJI: Final = 3
EVERYBODY: Final = 4


@attrs.frozen
class Line:
    """One message of the script."""

    author: int
    text: str | None
    minutes_ago: int
    reply_to: int | None = None
    """Place of the quoted line in the same chat, from 0."""
    reactions: tuple[tuple[str, tuple[int, ...]], ...] = ()
    attachments: tuple[int, ...] = ()


@attrs.frozen
class File:
    """A file somebody has uploaded."""

    owner: int
    file_name: str
    file_type: str
    content: str


SKETCH: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 400">'
    '<defs><linearGradient id="s" x2="0" y2="1"><stop stop-color="#312e81"/>'
    '<stop offset=".55" stop-color="#db2777"/><stop offset="1" stop-color="#fbbf24"/>'
    '</linearGradient></defs><path fill="url(#s)" d="M0 0h640v400H0z"/>'
    '<circle cx="320" cy="262" r="74" fill="#fde68a"/>'
    '<path fill="#4c1d95" d="M0 300 120 210l90 70 110-120 130 130 80-60 110 80v90H0z"/>'
    '<path fill="#1e1b4b" d="M0 350 150 280l130 70 140-80 220 90v40H0z"/></svg>'
)

NOTES: Final = (
    "Release notes, draft\n\n"
    "- Typing indicators that expire by themselves\n"
    "- Read marks in groups\n"
    "- Reconnects that nobody notices\n"
)

FILES: Final = (
    File(JANE, "splash-sunset.svg", "image/svg+xml", SKETCH),
    File(JOHN, "release-notes.txt", "text/plain; charset=utf-8", NOTES),
)
"""In the order of their ids, from 1."""

DAY: Final = 24 * 60

TEAM_LINES: Final = (
    Line(JOHN, "Good morning everyone! Two weeks to go until the launch.", 2 * DAY + 190),
    Line(JOHN, "Can each of us say in one line where we stand?", 2 * DAY + 189),
    Line(KENJI, "API is feature complete. Load tests start today.", 2 * DAY + 181,
         reactions=(("🔥", (JANE, AMARA)),)),
    Line(AMARA, "Android is in review, iOS follows tomorrow.", 2 * DAY + 176),
    Line(LUCIA, "Help pages are translated. Only the screenshots are missing.", 2 * DAY + 170),
    Line(NIKOLAI, "Second data centre is up, failover tested twice.", 2 * DAY + 163,
         reactions=(("🎉", (JOHN, JANE, KENJI)),)),
    Line(JANE, "I'm still not happy with the splash screen. Two ideas coming this afternoon.",
         2 * DAY + 150),
    Line(JOHN, "Take the time you need, it's the first thing people see.", 2 * DAY + 148,
         reply_to=6),
    Line(KENJI, "Load test: 10,000 people online, p99 under 20 ms. I ran it twice because I "
         "didn't believe it.", 2 * DAY - 60, reactions=(("😮", (AMARA, LUCIA)), ("👍", (JOHN,)))),
    Line(NIKOLAI, "I watched the machines meanwhile. They were bored.", 2 * DAY - 63),
    Line(LUCIA, "Could somebody send me the release notes when there's a draft?", DAY + 300),
    Line(JOHN, "Here you are, comments welcome.", DAY + 281, reply_to=10, attachments=(2,)),
    Line(LUCIA, "Thank you! Reads well.", DAY + 277, reactions=(("❤️", (JOHN,)),)),
    Line(JANE, "And here is the splash screen. First idea: sunset over the hills.", DAY + 122,
         attachments=(1,),
         reactions=(("❤️", (JOHN, AMARA, LUCIA)), ("🔥", (KENJI,)))),
    Line(AMARA, "Oh, that's lovely.", DAY + 118),
    Line(AMARA, "Does it work in dark mode too?", DAY + 117),
    Line(JANE, "It does: the sun goes down a little further 🌙", DAY + 115, reply_to=15,
         reactions=(("😂", (AMARA, KENJI, NIKOLAI)),)),
    Line(NIKOLAI, "Reminder: the certificates are renewed tonight. Nobody should notice.",
         DAY + 20),
    Line(NIKOLAI, "Done. Did anybody notice?", 620),
    Line(LUCIA, "Not a single ticket.", 611, reactions=(("👍", (NIKOLAI, JOHN)),)),
    Line(KENJI, "Reconnects are spread over half a minute now, so a restart no longer looks "
         "like a stampede.", 95),
    Line(JOHN, "That was the last red line on my list. Thank you, Kenji!", 90, reply_to=20),
    Line(AMARA, "iOS build is in review as well ✅", 34, reactions=(("🎉", (JANE, KENJI)),)),
    Line(JANE, "Then we only need a date for the party.", 12),
    Line(LUCIA, "Friday? I know a place by the river.", 9),
)  # fmt: skip

JOHN_AND_JANE_LINES: Final = (
    Line(JOHN, "Do you have ten minutes before the call?", DAY + 400),
    Line(JANE, "Sure. Your place or mine?", DAY + 396),
    Line(JOHN, "Kitchen, there's cake.", DAY + 395, reactions=(("😂", (JANE,)),)),
    Line(JANE, "On my way", DAY + 394),
    Line(JOHN, "The splash screen is wonderful, by the way.", DAY + 110),
    Line(JANE, "That means a lot, thanks!", DAY + 104, reactions=(("❤️", (JOHN,)),)),
    Line(JANE, "Could you look at the wording of the empty state as well?", 47),
    Line(JANE, "“No messages yet” sounds a little lonely.", 46),
)

JANE_AND_KENJI_LINES: Final = (
    Line(KENJI, "Which size do you need the avatars in?", DAY + 33),
    Line(JANE, "40 and 96, twice that for sharp screens.", DAY + 30),
    Line(KENJI, "They're on staging.", 208, reactions=(("👍", (JANE,)),)),
)

GREETINGS: Final = (
    "Hello from the Lisbon office!",
    "First day here, nice to meet you all.",
    "Lunch talk at noon: how we moved the message store without a second of downtime.",
    "The slides of yesterday's talk are on the wiki.",
    "Who has a spare adapter in Berlin?",
    "Found one, thank you!",
    "The new coffee machine in Oslo has opinions.",
    "Quarterly numbers are out. Well done, everybody.",
    "Reminder: the office in Osaka is closed on Monday.",
    "Bike repair workshop on Thursday, bring your own oil.",
    "Please restart your laptops before the weekend.",
    "The running group meets at six, all speeds welcome.",
    "Thanks to everybody who helped with the move!",
    "We reached a million messages a day. Cake on every floor.",
)
"""What the extras say in the chat of everybody, again and again."""
