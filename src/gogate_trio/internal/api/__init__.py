"""The internal API: what the backend asks of the gateway, and what an operator looks at.

Everything here is below ``/api/internal/v1`` and behind a key. What changes something goes
through the broker and so reaches every node.

- ``service``: from a request to its answer: key, route, body, deadline.
- ``keys``: who may ask.
- ``operations``: the table of all there is to ask; ``routing`` finds one in it.
- ``telling``: publish. ``instructing``: disconnect, revalidate, forget. ``looking``: the rest;
  ``overview``: a node at a glance.
- ``rooms``: what these work with; ``cluster``: what they need to know of other nodes.
- ``asked``: one request as an operation sees it.
- ``shapes``, ``overview_shapes``: what goes in and out, as JSON.
- ``problems``: every way of saying no.
- ``openapi``: the table as an OpenAPI document.
"""
