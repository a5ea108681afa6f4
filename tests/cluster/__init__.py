"""Several gateways, a real Valkey and two hundred people: what the simulation judges, for real.

Not in the default run of pytest; ``nox -s cluster`` runs it.

- ``nodes``: a gateway as a process that can be killed, stopped and asked for its numbers.
- ``people``: two hundred clients in twenty chats, most of whom resume, react and repeat.
- ``probes``: one pair of clients on each node, and how long a message takes to all of them.
- ``broken``: gateways that are broken on purpose; the judge must catch each.
- ``onlookers``: people who look who is online, and what each was told when.
- ``histogram``: a picture of who came back when.
- ``world``: puts them together; its end has the checker judge.
"""
