"""The table of all operations. Routes, metrics and the OpenAPI document are made of it."""

from __future__ import annotations

from typing import Final

from gogate_trio.internal.api import draining, instructing, looking, overview, shapes, telling
from gogate_trio.internal.api.overview_shapes import Overview
from gogate_trio.internal.api.problems import (
    BACKEND_UNAVAILABLE,
    CHAT_NOT_FOUND,
    CLUSTER_UNAVAILABLE,
    PRESENCE_OFF,
)
from gogate_trio.internal.api.routing import Operation

OPERATIONS: Final = (
    Operation(
        name="publish",
        method="POST",
        path="/publish",
        summary="Tell an event to users or to a chat",
        about="Everybody in the audience who is connected, to whatever node, hears the event as it"
        " is: the guide's names (`new_message`, `message_read` …), `message_updated`,"
        " `message_deleted`, `chat_updated`, or any name your clients know. Who resumes is told"
        " what it missed of it. A chat's members are those the gateway knows, at most"
        " MEMBERSHIP_TTL old: after a change of membership invalidate first. The same"
        " Idempotency-Key publishes once within 10 minutes; an ephemeral event takes no notice of"
        " it.",
        perform=telling.publish,
        body=shapes.Publish,
        takes_key=True,
        answer=shapes.Published,
        problems=(CHAT_NOT_FOUND, BACKEND_UNAVAILABLE),
    ),
    Operation(
        name="disconnect_user",
        method="POST",
        path="/users/{user_id}/disconnect",
        summary="Hang up on a user",
        about="All connections of the user are closed, on every node, with this code and reason."
        " They may come back; to keep a user out, refuse the token as well.",
        perform=instructing.disconnect,
        body=shapes.Disconnect,
        body_is_required=False,
        answer=shapes.Accepted,
        status=202,
    ),
    Operation(
        name="revalidate_user",
        method="POST",
        path="/users/{user_id}/revalidate",
        summary="Have a user's tokens checked now",
        about="Every node asks the backend about each token the user has in use, and closes with"
        " 4503 those it no longer takes. For a logout or a suspension.",
        perform=instructing.revalidate,
        answer=shapes.Accepted,
        status=202,
    ),
    Operation(
        name="invalidate_members",
        method="POST",
        path="/chats/{chat_id}/members/invalidate",
        summary="Forget who is in a chat",
        about="Every node asks the backend again before it tells anything in this chat. Call it"
        " when somebody has joined or left.",
        perform=instructing.invalidate,
        answer=shapes.Accepted,
        status=202,
    ),
    Operation(
        name="drain",
        method="POST",
        path="/drain",
        summary="End this node in good order",
        about="As SIGTERM does: nobody is let in any more, calls under way are answered, clients"
        " are hung up on one after the other, and the process ends with status 0. Asked again, it"
        " says how far it is. What starts the process anew is its supervisor's affair.",
        perform=draining.drain,
        answer=shapes.Draining,
        status=202,
    ),
    Operation(
        name="presence",
        method="GET",
        path="/presence",
        summary="Who of a chat is connected",
        about="To whatever node.",
        perform=looking.presence,
        query=shapes.PresenceQuery,
        answer=shapes.PresenceShown,
        problems=(CHAT_NOT_FOUND, PRESENCE_OFF, BACKEND_UNAVAILABLE, CLUSTER_UNAVAILABLE),
    ),
    Operation(
        name="connections",
        method="GET",
        path="/connections",
        summary="Connections of this node, and how many others have",
        about="Those of the node that is asked, by number, page by page; of other nodes how many"
        " they have. A user who has none here and nothing elsewhere is not connected.",
        perform=looking.connections,
        query=shapes.ConnectionsQuery,
        answer=shapes.Connections,
    ),
    Operation(
        name="overview",
        method="GET",
        path="/overview",
        summary="This node at a glance",
        about="What the console and `gogate top` show. Totals and histograms count from the start"
        " of the process: two overviews make a rate.",
        perform=overview.overview,
        answer=Overview,
    ),
    Operation(
        name="nodes",
        method="GET",
        path="/nodes",
        summary="All nodes",
        about="The one that is asked first.",
        perform=looking.nodes,
        answer=shapes.Nodes,
        problems=(CLUSTER_UNAVAILABLE,),
    ),
)
