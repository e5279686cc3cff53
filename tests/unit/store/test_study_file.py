"""`study.json` gives back the plan as it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.errors import StudyDirectoryError
from mtui.core.plan import Plan
from mtui.core.plan.instance_script import render
from mtui.core.spec import SpecError
from mtui.core.spec.study_spec import RetryRule
from mtui.core.store.study_file import Settings, StudyFile, read_study_file, write_study_file
from mtui.core.study_creation import PlanOptions, plan_study
from tests.conftest import SHARED
from tests.plans import plan, step

CASES = sorted(path for room in ("expand", "launcher") for path in (SHARED / "conformance/cases" / room).glob("*.yaml"))
RULES = plan(step("a", retry={"FAILED": RetryRule(2, exclude=True, changes=(("walltime", "x2"),)), "75": RetryRule(1)}))
SMALL = plan(step("a", uses="X"), step("b", "a_*", local=True), rows={"X": ["1", "ä,'\"\n", "3"]})


def study_of(plan: Plan) -> StudyFile:
    return StudyFile(
        "0a1b2c3d",
        1.5,
        "/where/it/came/from.yaml",
        Settings(3, 2, 10.0, submit_ahead=False, array=7),
        plan,
        given=("--params", "A=1,2", "--set", "B=ä b"),
    )


def round_trip(folder: Path, plan: Plan) -> StudyFile:
    path = folder / "study.json"
    write_study_file(path, study_of(plan))
    return read_study_file(path)


@pytest.mark.parametrize(
    "plan",
    [RULES, SMALL, plan(step("only", local=True)), plan(step("none", uses="X"), step("end", "none_*"), rows={"X": []})],
    ids=["rules of retries", "rows and a funnel", "one step", "a step without instances"],
)
def test_study_is_read_as_it_was_written(tmp_path: Path, plan: Plan) -> None:
    assert round_trip(tmp_path, plan) == study_of(plan)
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


def test_study_of_an_earlier_mtui_has_the_settings_that_came_later_at_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    write_study_file(path, study_of(SMALL))
    content = json.loads(path.read_text())
    for name in ("submit_ahead", "array"):
        del content["settings"][name]
    del content["given"]
    path.write_text(json.dumps(content))
    study = read_study_file(path)
    assert study.settings == Settings(3, 2, 10.0, submit_ahead=True, array=1000)
    assert study.given == ()


# Without the data there is one case, which the fixture skips, or fails where nothing may be skipped.
@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("case", CASES or [SHARED], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_plans_of_the_conformance_cases_are_read_as_they_were_written(tmp_path: Path, case: Path) -> None:
    try:
        made = plan_study(case, PlanOptions(out=str(tmp_path / "out"))).plan
    except SpecError:
        pytest.skip("it is one that cannot be planned")
    read = round_trip(tmp_path, made).plan
    assert read == replace(made, dependencies=())
    assert [render(read, instance) for instance in read.instances] == [
        render(made, instance) for instance in made.instances
    ]


def test_study_in_a_directory_whose_name_is_not_utf8(tmp_path: Path) -> None:
    odd = replace(SMALL, out="/data/\udce9tude")
    assert round_trip(tmp_path, odd).plan == odd


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", "null", '{"v": 1}', "\udcff"],
    ids=["empty", "cut", "list", "5", "null", "bare", "bytes"],
)
def test_damaged_file_is_reported(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(StudyDirectoryError, match="damaged"):
        read_study_file(path)


@pytest.mark.parametrize("key", ["steps", "instances", "parameters", "batch", "settings"])
def test_wrong_kind_of_value_is_damage(tmp_path: Path, key: str) -> None:
    path = tmp_path / "study.json"
    write_study_file(path, study_of(SMALL))
    path.write_text(json.dumps({**json.loads(path.read_text()), key: ["x"]}))
    with pytest.raises(StudyDirectoryError, match="damaged"):
        read_study_file(path)


def test_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    write_study_file(path, study_of(SMALL))
    path.write_text(json.dumps({**json.loads(path.read_text()), "v": 2}))
    with pytest.raises(StudyDirectoryError, match="newer mtui"):
        read_study_file(path)


def test_missing_file_and_missing_folder_are_reported(tmp_path: Path) -> None:
    with pytest.raises(StudyDirectoryError, match="No such file"):
        read_study_file(tmp_path / "study.json")
    with pytest.raises(StudyDirectoryError, match="No such file"):
        write_study_file(tmp_path / "gone" / "study.json", study_of(SMALL))
