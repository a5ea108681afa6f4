"""A guest in the house: the embedded BuzzChat backend and the chat page of ``gogate demo``.

Nothing below ``app`` knows this package. Its rooms, from the ground up:

- ``records``: the values the rooms hand each other; ``refusal``: how the backend says no.
- ``store``: one SQLite file or memory; ``schema``: its tables.
- ``directory``, ``messages``, ``reading``: what is asked of the tables and written to them.
- ``people``, ``script``, ``seed``: who and what is there on the first start.
- ``tokens``: JSON Web Tokens, really signed.
- ``dialects``: the two ways the backend is known to speak.
- ``bodies``: what a request must look like; ``intake``: how large it may be.
- ``internal``, ``public``, ``playground``: the endpoints.
- ``backend``: the application and its port.
- ``assets`` and ``page/``: the chat page.
- ``command``: ``gogate demo``.
"""
