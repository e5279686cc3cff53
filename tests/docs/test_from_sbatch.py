"""docs/from-sbatch.md: each key becomes the option that the table names, in every place that it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtui.core.plan.instance_script import render
from mtui.core.spec.sbatch_options import parse_options
from mtui.core.study_creation import PlanOptions, plan_study
from tests.docs.markdown import cells, read

OPTIONS = """
description: {name: s, description: d}
batch: {type: slurm, host: h, bank: "", queue: ""}
study: [{name: sim, description: d, run: {cmd: "true", nodes: 1}}]
mtui: {steps: {sim: {}}}
"""


def rows() -> list[tuple[str, str, str]]:
    """Each option, place and key of the table."""
    below = read("docs/from-sbatch.md").partition("<!-- checked: options -->\n")[2].partition("\n\n")[0]
    found = [cells(line) for line in below.splitlines()[2:]]
    return [
        (re.findall(r"`([^`]+)`", option)[0], place, key.strip("`"))
        for option, places, key in found
        for place in places.split(", ")
    ]


@pytest.mark.parametrize(("option", "place", "key"), rows())
def test_a_key_becomes_the_option(option: str, place: str, key: str, tmp_path: Path) -> None:
    study: dict[str, Any] = yaml.safe_load(OPTIONS)
    blocks = {"run": study["study"][0]["run"], "batch": study["batch"], "steps": study["mtui"]["steps"]["sim"]}
    blocks[place].update(yaml.safe_load(key))
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    plan = plan_study(file, PlanOptions(out=str(tmp_path / "out"))).plan
    script = render(plan, plan.instances[0]).body
    lines = [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH ")]
    (wanted,) = parse_options([option])
    assert (wanted.name, wanted.value) in {(found.name, found.value) for found in parse_options(lines)}


def test_there_are_many() -> None:
    assert len(rows()) > 25
