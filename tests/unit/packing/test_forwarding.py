"""Allocations that version 0.1 requested start their leader and workers by the old module names."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest


def run(module: str) -> subprocess.CompletedProcess[str]:
    """Run a module without arguments or input."""
    command = [sys.executable, "-m", module]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", ["leader", "worker"])
def test_old_module_name_starts_the_same_program(name: str) -> None:
    old, new = (import_module(f"mtui.core.{package}.{name}") for package in ("pack", "packing"))
    assert old.main is new.main
    old_end, new_end = (run(f"mtui.core.{package}.{name}") for package in ("pack", "packing"))
    assert old_end.returncode == new_end.returncode != 0
    assert old_end.stderr.splitlines()[-1:] == new_end.stderr.splitlines()[-1:]
