"""docs/study-directory.md names everything in the directory of a study."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import mtui
from tests.docs.markdown import tables

_FILE_OF_INSTANCE = re.compile(r"(?:\.\d+)?((?:\.restart)?(?:\.slurm)?\.(?:sh|out|err))$")


def explained() -> set[str]:
    """The paths that the document names."""
    (table,) = (table for table in tables("docs/study-directory.md") if table[0][0] == "path")
    found: set[str] = set()
    for row in table[1:]:
        first, *more = re.findall(r"`([^`]+)`", row[0])
        folder = first[: first.rfind("/") + 1]
        found |= {first, *(name if "/" in name else folder + name for name in more)}
    return found


def form(path: Path, root: Path) -> str:
    """A file's path as the document writes it: with its names, numbers and times in general words."""
    top, *rest = path.relative_to(root).parts
    if path.is_symlink():
        return "STEP_COMBO"
    if top == ".mtui" and rest[0] in ("inbox", "spool"):
        return f".mtui/{rest[0]}/new/"
    if top == ".mtui" and rest[0] in ("submit", "allocations"):
        return f".mtui/{rest[0]}/"
    if top == ".mtui":
        number = re.sub(r"^\d{6}(\.beat|\.released)?(?=$|\.jsonl)", "000001", rest[-1])
        return "/".join([top, *rest[:-1], re.sub(r"^\d+\.\d+$", "0.1", number)])
    if rest:
        match = _FILE_OF_INSTANCE.search(rest[-1])
        return f"STEP/COMBO/NAME{match[1]}" if match else f"STEP/COMBO/{rest[-1]}"
    return top


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Studies with most of what can happen: failures, tries, commands, rows added, hooks, a restart, a report."""
    folder = tmp_path_factory.mktemp("directory")
    spec = folder / "study.yaml"
    spec.write_text(
        "description: {name: t, description: d}\nstudy:\n"
        "- {name: sim, description: d, run: {cmd: 'exit $(X)', restart: 'true'}}\n"
        "- {name: all, description: d, run: {cmd: 'true', depends: [sim_*]}}\n"
        "global.parameters: {X: {values: [0, 1], label: X.%%}}\nmtui: {retry: 1, on_end: 'echo'}\n"
    )
    out = folder / "out"
    assert mtui.run("--no-ui", "-o", out, spec).returncode == 2
    assert mtui.run("retry", out, "--restart", "-y").returncode == 0
    assert mtui.run("extend", out, "--params", "X=0,1,2").returncode == 0
    assert mtui.run("--no-ui", out).returncode in (0, 2)
    assert mtui.run("report", out).returncode == 0
    return [out]


def test_every_file_is_explained(studies: list[Path]) -> None:
    for root in studies:
        files = {form(path, root) for path in root.rglob("*") if path.is_symlink() or path.is_file()}
        assert {".mtui/hooks.log", ".mtui/claims/0.1", "STEP/COMBO/NAME.restart.sh"} <= files
        assert files - explained() == set()


def test_a_file_that_is_not_explained_is_found(tmp_path: Path) -> None:
    for name in (".mtui/new.log", "new.txt", "a/b/new.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        assert form(tmp_path / name, tmp_path) not in explained()
