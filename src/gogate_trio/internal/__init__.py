"""The internal port: what the operator's machines ask, apart from the clients.

- ``opening``: puts it together.
- ``port``: its HTTP server; ``intake``: what it reads.
- ``api``: what the backend asks of the gateway, behind a key.
- ``console``: the page that shows a node live.
- ``readiness``: whether this node can do its work, and what is missing if not.
- ``lag``: how late the event loop is.
- ``dials``: where the numbers are read.
- ``catalogue``: what each number is called outside, and what it means.
- ``exposition``: all of them in Prometheus' text format.
- ``table``: all of them as a table for the docs.

The pages tell no secret and change nothing, so nobody is asked for a key there; whom the port
is open to is a matter of ``INTERNAL_HOST``. All else is behind the key of the API.
"""
