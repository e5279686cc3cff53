"""Starts the command line. Modules of Python and of mtui's installation come before those on PYTHONPATH.

A user's folder on PYTHONPATH may hold a random.py, or packages for another Python.
"""

from __future__ import annotations

from ..core.search_path import search_python_path_last


def main() -> int:
    search_python_path_last()
    from .cli.main import main as run

    return run()
