"""Forwards to `core.packing.leader`."""

from ..packing.leader import main

if __name__ == "__main__":
    raise SystemExit(main())
