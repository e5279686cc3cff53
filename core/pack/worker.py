"""Forwards to `core.packing.worker`."""

from ..packing.worker import main

if __name__ == "__main__":
    raise SystemExit(main())
