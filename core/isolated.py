"""Starts a module of mtui in a process that imports nothing from the directory in which it is started.

    python -I .../core/isolated.py SEARCHED MODULE ARGUMENT...

`python -m` would search that directory first: a file of the user called random.py would replace Python's own, and
whoever can write there could run code as the user. -I also ignores PYTHONPATH and the user's site-packages, where
mtui's dependencies may be: SEARCHED is the list of such folders, which are searched last. mtui is that of this file.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path


def isolated_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line that runs `module`, such as mtui.tui, isolated from the current directory."""
    return (sys.executable, "-I", __file__, os.pathsep.join(_searched()), module, *arguments)


def _searched() -> list[str]:
    """Return the folders that this process searches and an isolated one would not.

    Python makes empty and relative entries of PYTHONPATH absolute, so those that name the current directory are left
    out, unless the user wrote it in full.
    """
    written = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        here = ""
    own = (f"{sys.prefix}{os.sep}", f"{sys.base_prefix}{os.sep}")
    return [
        entry
        for entry in sys.path
        if Path(entry).is_absolute() and not entry.startswith(own) and (entry != here or entry in written)
    ]


def main() -> None:
    """Run the module that the command line names."""
    searched, module, *arguments = sys.argv[1:]
    sys.path += [entry for entry in searched.split(os.pathsep) if entry and entry not in sys.path]
    folder = Path(__file__).parents[1]
    spec = importlib.util.spec_from_file_location("mtui", folder / "__init__.py")
    assert spec and spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules["mtui"] = package
    spec.loader.exec_module(package)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
