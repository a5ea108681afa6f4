"""Traces: what became of a command, from the client to the backend and to who heard of it.

- ``spans``: what the rooms above see of a trace, and where the code that runs is in one.
- ``otel``: the spans of OpenTelemetry; the only module that imports it.
- ``opening``: on or off, and the exporter's life.

Off, the rooms above look at a ``None``; nothing else happens, and nothing is imported.
"""
