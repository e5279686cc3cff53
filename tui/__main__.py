import sys

# `python -m` searches the current directory first, and a file of the user there could replace a module of Python's own.
if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

from .start import main

raise SystemExit(main())
