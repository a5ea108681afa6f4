"""``gogate top``: the console in a terminal.

- ``figures``: what follows from two looks at a node: rates and percentiles. Pure.
- ``screen``: the frame that is drawn of them.
- ``loop``: looks every second and draws.
"""
