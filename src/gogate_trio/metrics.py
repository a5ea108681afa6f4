"""What the gateway counts about itself. Plain numbers: adding one costs nothing on the hot path.

Label values come from code (event names, codes of our own catalogues), never from a client.
"""

from __future__ import annotations

from collections import Counter

import attrs


@attrs.define(eq=False)
class Metrics:
    """The counters of one node. Everything only ever counts up, but for ``connections``."""

    connections: int = 0
    """sockets past the upgrade and not yet gone"""
    accepted: int = 0
    """sockets accepted"""
    tls_failed: int = 0
    """sockets with which no TLS handshake succeeded"""
    refused: Counter[int] = attrs.field(factory=Counter)
    """requests answered with an HTTP error, by status"""
    turned_away: Counter[str] = attrs.field(factory=Counter)
    """sockets that found the house full, by which bound"""
    closed: Counter[str] = attrs.field(factory=Counter)
    """connections ended, by reason of the close catalogue"""
    commands: Counter[str] = attrs.field(factory=Counter)
    """commands understood, by event name"""
    errors: Counter[str] = attrs.field(factory=Counter)
    """``error`` events sent, by code"""
    publications: int = 0
    """events that went through the broker"""
    deliveries: int = 0
    """events offered to connections"""
    shed: int = 0
    """ephemeral events not queued for a connection that had fallen behind, or for a full hub"""
    lost_audiences: int = 0
    """stored messages whose members could not be learnt in time: the stream has a gap"""
    resumes: Counter[str] = attrs.field(factory=Counter)
    """clients that asked to resume, by what came of it: new, recovered, resync"""
    replayed: int = 0
    """events told again to clients that came back"""
    gaps: int = 0
    """times the stream had to begin anew: every resuming client was told to fetch"""
    rechecks: Counter[str] = attrs.field(factory=Counter)
    """tokens in use that the backend was asked about again, by what it said"""
    bugs: int = 0
    """exceptions that should not be: each is logged once"""
