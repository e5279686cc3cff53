"""The names that a press of TAB reads are those of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.store.name_index import is_study, names_in
from mtui.core.store.study_directory import create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from tests.plans import plan, step


def test_names_are_those_of_the_plan(tmp_path: Path) -> None:
    here = plan(step("sim", uses="X"), step("größe", "sim"), step("all", "sim_*"), rows={"X": ["a", 'b"c', "["]})
    directory = create_directory(tmp_path / "out", "", [])
    assert not is_study(directory.root)
    write_study_file(directory.study_file, StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), here))
    assert is_study(directory.root)
    steps, instances = names_in(directory.root)
    assert steps == [one.name for one in here.steps]
    assert instances == [one.name for one in here.instances if '"' not in one.name]


def test_a_file_of_another_form_has_no_names(tmp_path: Path) -> None:
    directory = create_directory(tmp_path / "out", "", [])
    directory.study_file.write_bytes(b'{"v":2,"plan":\xff')
    assert names_in(directory.root) == ([], [])
    with pytest.raises(OSError, match="No such file"):
        names_in(tmp_path)
