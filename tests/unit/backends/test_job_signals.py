"""Signals to the job-side runner, under every shell that /bin/sh is on a cluster."""

from __future__ import annotations

import os
import signal

import pytest

from tests.unit.backends.job_study import LOOP, Study
from tests.waiting import wait_until


def test_signal_to_the_runner_reaches_the_scripts_trap_whose_exit_code_counts(study: Study) -> None:
    process = study.start("trap 'echo caught; exit 7' USR1\n" + LOOP)
    study.until_ready()
    process.send_signal(signal.SIGUSR1)
    assert process.wait(10) == 7
    assert study.out.read_text() == "caught\n"
    assert [(record["code"], record["signal"]) for record in study.records("exit")] == [(7, "USR1")]
    assert study.err.read_text() == ""


def test_script_that_ignores_signals_ends_with_its_own_code(study: Study) -> None:
    process = study.start("trap 'echo 1 >> one' USR1\ntrap 'echo 2 >> two' USR2\n" + LOOP + "exit 9\n")
    study.until_ready()
    for name, trace in (("USR1", "one"), ("USR2", "two")):
        process.send_signal(signal.Signals[f"SIG{name}"])
        wait_until((study.workspace / trace).exists, 10, f"{name} is handed on")
    study.go()
    assert process.wait(10) == 9


def test_exit_code_127_after_a_signal_is_not_taken_for_the_signals(study: Study) -> None:
    process = study.start("trap 'touch caught' USR1\n" + LOOP + "exit 127\n")
    study.until_ready()
    process.send_signal(signal.SIGUSR1)
    wait_until((study.workspace / "caught").exists, 10, "USR1 is handed on")
    study.go()
    assert process.wait(10) == 127


def test_untrapped_signal_ends_the_script_and_counts_as_its_end(study: Study) -> None:
    process = study.start(LOOP)
    study.until_ready()
    process.send_signal(signal.SIGUSR2)
    assert process.wait(10) == 128 + signal.SIGUSR2
    assert study.err.read_text() == ""


def test_term_that_slurm_sends_to_everybody_is_not_sent_again(study: Study) -> None:
    process = study.start("trap 'echo caught' TERM\n" + LOOP)
    study.until_ready()
    process.terminate()  # to the runner alone, so whatever the script sees comes from the runner
    study.until_taken()
    study.go()
    assert process.wait(10) == 0
    assert study.out.read_text() == ""
    assert [record["signal"] for record in study.records("exit")] == ["TERM"]


def test_term_is_handed_on_if_slurm_was_asked_to_send_it_to_the_runner_alone(study: Study) -> None:
    process = study.start("trap 'echo caught; exit 5' TERM\n" + LOOP, term=True)
    study.until_ready()
    process.terminate()
    assert process.wait(10) == 5
    assert study.out.read_text() == "caught\n"


def test_script_that_saves_its_work_on_a_term_to_all_processes_ends_with_its_own_code(study: Study) -> None:
    process = study.start("trap 'touch saving; while [ ! -e go ]; do sleep 0.02; done; exit 6' TERM\n" + LOOP)
    study.until_ready()
    os.killpg(process.pid, signal.SIGTERM)
    wait_until((study.workspace / "saving").exists, 10, "the script has the signal")
    study.until_taken()
    study.go()
    assert process.wait(10) == 6
    assert [(record["code"], record["signal"]) for record in study.records("exit")] == [(6, "TERM")]


def test_term_to_all_processes_ends_a_script_that_does_not_trap_it(study: Study) -> None:
    process = study.start(LOOP)
    study.until_ready()
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(10) == 143
    assert [(record["code"], record["signal"]) for record in study.records("exit")] == [(143, "TERM")]


@pytest.mark.parametrize("name", ["INT", "QUIT", "HUP", "ALRM", "XCPU"])
def test_script_in_slurm_can_trap(study: Study, name: str) -> None:
    process = study.start(f"trap 'echo caught; exit 5' {name}\n" + LOOP)
    study.until_ready()
    process.send_signal(signal.Signals[f"SIG{name}"])
    assert process.wait(10) == 5
    assert study.out.read_text() == "caught\n"
