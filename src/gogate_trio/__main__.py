"""``python -m gogate_trio`` is ``gogate``."""

from gogate_trio.cli import main

main()
