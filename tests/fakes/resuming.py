"""What a client that resumes and wants acknowledgements says beyond the guide.

Usage::

    async with open_client(node.port) as client:
        place = await come(client, "token-1")
        await ask(client, "c1-17", "send_message", chat_id=1, text="hi")
        assert (await reply_to(client, "c1-17"))["event"] == "ack"
    async with open_client(node.port) as client:
        assert (await come_back(client, "token-1", place))["recovered"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from fakes.clients import TEXT, frame

if TYPE_CHECKING:
    from fakes.clients import Client


@attrs.frozen
class Place:
    """Where in the stream a client is."""

    session: str
    position: str

    def after(self, event: dict[str, Any]) -> Place:
        """Return where it is when it has taken an event in."""
        return attrs.evolve(self, position=event.get("position", self.position))


def asking(command_id: Any, event: str, **data: Any) -> bytes:
    """Return a whole frame with a command that has an id."""
    return frame(TEXT, msgspec.json.encode({"event": event, "id": command_id, "data": data}))


async def ask(client: Client, command_id: Any, event: str, **data: Any) -> None:
    """Send a command that has an id."""
    await client.send(asking(command_id, event, **data))


async def reply_to(client: Client, command_id: Any) -> dict[str, Any]:
    """Return the next event that has this id; others are passed over."""
    while True:
        event = await client.next_event()
        if "id" in event and event["id"] == command_id:
            return event


async def come(client: Client, token: str) -> Place:
    """Log in and begin a session."""
    await client.say("auth", token=token, resume=True)
    welcome = await client.event("auth_success")
    assert welcome["recovered"] is False
    return Place(welcome["session"], welcome["position"])


async def come_back(client: Client, token: str, place: Place) -> dict[str, Any]:
    """Log in and go on where an earlier connection ended; return the data of the welcome."""
    resume = {"session": place.session, "position": place.position}
    await client.say("auth", token=token, resume=resume)
    return await client.event("auth_success")
