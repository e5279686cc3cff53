"""Local steps: several at a time, in separate sessions, with live output; and the sample studies."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mtui.tui.cli.parser import make_parser
from tests import mtui
from tests.waiting import wait_until

SAMPLES = Path(__file__).parents[2] / "sample_specs"


def run(tmp_path: Path, cmd: str, *options: str, rows: str = "") -> tuple[int, Path]:
    """Run a study of one step `a` with that command; the exit code and the directory."""
    lines = "\n".join(f"      {line}" for line in cmd.splitlines())
    steps = f"- name: a\n  description: d\n  run:\n    cmd: |\n{lines}"
    parameters = f"  I: {{values: [{rows}], label: I.%%}}" if rows else ""
    spec = mtui.write_study(tmp_path / "s.yaml", steps, parameters=parameters)
    done = mtui.run("--no-ui", "-o", tmp_path / "out", *options, spec)
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, tmp_path / "out"


# How each sample is run here, and how it ends.
ENDS: dict[str, tuple[tuple[str, ...], int]] = {
    "alloy": (("--local", "--params", "SIZE=8", "--params", "TEMP=300"), 0),
    "failure": ((), 2),
    "generated": (("--pgen", str(SAMPLES / "generated.py")), 0),
    "hello": ((), 0),
    "packed_sweep": (("--local",), 0),
    "perlmutter_gpu": (("--local",), 0),
    "perlmutter_restart": (("--local", "--set", "PAUSE=0.001"), 0),
    "perlmutter_sweep": (("--local",), 0),
    "plot": ((), 0),
    "product": ((), 0),
    "retries": ((), 2),
    "sweep": (("--params", "LENGTH=0.5,1", "--params", "DAMPING=0.1,0.2", "--set", "STEPS=2"), 0),
}
NAMES = sorted(path.stem for path in SAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("sample", NAMES)
def test_sample_runs_as_its_comment_says(tmp_path: Path, sample: str) -> None:
    options, code = ENDS[sample]
    done = mtui.run("--no-ui", *options, "-o", tmp_path / "out", SAMPLES / f"{sample}.yaml")
    assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize("sample", NAMES)
def test_sample_says_what_it_shows_and_how_it_is_run(sample: str) -> None:
    head, _, _ = (SAMPLES / f"{sample}.yaml").read_text().partition("\n\n")
    lines = head.splitlines()
    assert all(line.startswith("#") for line in lines)
    for word in ("Shows", "Needs", "Takes"):
        assert sum(line.startswith(f"# {word}: ") for line in lines) == 1, word
    commands = [line[4:] for line in lines if line.startswith("#   mtui ")]
    assert commands
    for command in commands:
        words = shlex.split(command.partition("    ")[0])[1:]
        assert f"sample_specs/{sample}.yaml" in words
        assert make_parser().parse_args(words if words[0] == "plan" else ["run", *words])


def test_plot_is_a_picture(tmp_path: Path) -> None:
    assert mtui.run("--no-ui", "-o", tmp_path / "out", SAMPLES / "plot.yaml").returncode == 0
    picture = ElementTree.parse(tmp_path / "out" / "plot" / "periods.svg").getroot()
    circles = [item for item in picture.iter() if item.tag.endswith("circle")]
    assert len(circles) == 12
    assert all(20 <= float(item.attrib["cy"]) <= 220 and 40 <= float(item.attrib["cx"]) <= 400 for item in circles)


def test_generated_rows_are_a_product_and_those_of_maestro(tmp_path: Path) -> None:
    generator = ("--pgen", str(SAMPLES / "generated.py"), "--pargs", "SIDES:4,6", "--pargs", "DICE:1,2")
    reported = json.loads(mtui.run("plan", "--json", *generator, SAMPLES / "generated.yaml").stdout)
    names = {item["name"] for item in reported["instances"]}
    assert names == {"table", *(f"throw_DICE.{dice}.SIDES.{sides}" for dice in (1, 2) for sides in (4, 6))}
    maestro = Path(sys.executable).with_name("maestro")
    out = tmp_path / "out"
    command = [maestro, "run", "-fg", "-y", "--dry", "-s", "1", "-o", out, *generator, SAMPLES / "generated.yaml"]
    subprocess.run(command, env={**os.environ, "USER": "root"}, capture_output=True, check=True)
    assert {script.stem for script in out.rglob("*.sh")} == names


def test_sample_of_retries_leaves_what_it_says(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert mtui.run("--no-ui", "-o", out, SAMPLES / "retries.yaml").returncode == 2
    assert (out / "mean" / "GROUP.odd" / "results.txt").read_text().split() == ["1", "9"]
    assert (out / "report" / "report.txt").read_text() == "3\n"
    assert (out / "ended.txt").read_text() == "retries has failed\n"
    ends = mtui.statuses(out)
    assert {name for name, status in ends.items() if status != "finished"} == {
        "sample_GROUP.even.SEED.4",
        "mean_GROUP.even",
    }


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.yaml")))
def test_sample_runs_in_maestro_as_well(tmp_path: Path, sample: str) -> None:
    maestro = Path(sys.executable).with_name("maestro")
    command = [str(maestro), "run", "-fg", "-y", "--dry", "-s", "1", "-o", str(tmp_path / "out"), str(SAMPLES / sample)]
    done = subprocess.run(command, env={**os.environ, "USER": "root"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "out").rglob("*.sh"))


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.yaml")))
def test_every_sample_plans_without_a_warning(sample: str) -> None:
    done = mtui.run("plan", SAMPLES / sample)
    assert (done.returncode, done.stderr, "warning" in done.stdout) == (0, "", False)


def test_perlmutter_study_runs_on_this_machine(shared: Path, tmp_path: Path) -> None:
    done = mtui.run("--no-ui", "--local", "-o", tmp_path / "out", shared / "perlmutter" / "size_sweep.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    report = tmp_path / "out" / "aggregate_results" / "final_report.txt"
    assert len(report.read_text().splitlines()) == 3


def test_no_more_run_at_a_time_than_requested(tmp_path: Path) -> None:
    cmd = (
        f"echo start >> {tmp_path}/trace  # $(I)\n"
        f"until [ $(grep -c start {tmp_path}/trace) -ge 3 ]; do sleep 0.05; done\n"
        f"echo end >> {tmp_path}/trace"
    )
    code, _ = run(tmp_path, cmd, "--local-jobs", "3", rows="1, 2, 3, 4, 5")
    assert code == 0
    running = most = 0
    for word in (tmp_path / "trace").read_text().split():
        running += 1 if word == "start" else -1
        most = max(most, running)
    assert most == 3


def test_output_is_live_and_may_be_anything(tmp_path: Path) -> None:
    spec = mtui.write_study(
        tmp_path / "s.yaml",
        f"- name: a\n  description: d\n  run:\n    cmd: |\n      printf 'begun \\377\\000\\n'\n"
        f"      while [ ! -e {tmp_path}/go ]; do sleep 0.05; done",
    )
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log")
    log = tmp_path / "out" / "a" / "a.out"
    wait_until(
        lambda: log.exists() and log.read_bytes() == b"begun \xff\x00\n", 20, "the output is there while it runs"
    )
    (tmp_path / "go").touch()
    assert driver.wait() == 0


def test_background_child_of_a_step_holds_nothing_up(tmp_path: Path) -> None:
    code, _ = run(tmp_path, "sleep 60 &\necho done")
    assert code == 0


def test_killed_step_is_named(tmp_path: Path) -> None:
    code, out = run(tmp_path, "kill -9 $$")
    assert code == 2
    assert "signal KILL" in mtui.instance(out, "a")["cause"]


def test_a_driver_releases_the_study_on_a_stop_command(tmp_path: Path) -> None:
    go = tmp_path / "go"
    spec = mtui.write_study(
        tmp_path / "s.yaml",
        f"- {{name: a, description: d, run: {{cmd: 'while [ ! -e {go} ]; do sleep 0.05; done'}}}}",
    )
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log")
    driver.wait_for("submitted")
    assert mtui.run("stop", tmp_path / "out").returncode == 0
    assert driver.wait() == 0
    assert mtui.status(tmp_path / "out")["driver"] == ""
    go.touch()
    assert mtui.run("--no-ui", tmp_path / "out").returncode == 0


def test_command_for_the_end_runs_once_for_each_end(tmp_path: Path) -> None:
    """A driver that only carries out a command finds the study over; one after a retry ends it again."""
    out = tmp_path / "out"
    spec = mtui.write_study(
        tmp_path / "s.yaml",
        '- {name: a, description: d, run: {cmd: "[ -e ../once ] || { touch ../once; exit 3; }"}}\n'
        "mtui: {on_end: 'echo $MTUI_RESULT >> ended'}\n",
    )
    assert mtui.run("--no-ui", "-o", out, spec).returncode != 0
    ended = out / "ended"
    assert ended.read_text() == "failed\n"
    mtui.run("update", out, "--local-jobs", "3")
    mtui.run("--no-ui", out)
    assert mtui.statuses(out) == {"a": "failed"}
    assert ended.read_text() == "failed\n"
    mtui.run("retry", out, "a")
    assert mtui.run("--no-ui", out).returncode == 0
    assert ended.read_text() == "failed\nfinished\n"
