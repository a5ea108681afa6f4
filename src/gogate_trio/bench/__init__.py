"""``gogate bench``: load on a gateway from outside, and what its clients saw of it.

plan       what was asked for, within bounds
histogram  times, sorted into buckets
ledger     what was said, who heard it, what is missing: pure
client     one WebSocket to the gateway under test
crowd      all clients: who got in, and who was sent away why
traffic    who says what when, and the waiting for what is still under way
measure    one whole run
demo_server  a demo as a process of its own, to try it out
screen     figures while it runs
report     what is printed in the end
command    the arguments in, the result out

It is a client like any other: nothing here knows the gateway from inside.
"""
