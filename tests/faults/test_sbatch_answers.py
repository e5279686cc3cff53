"""What real sites' sbatch prints, with a real driver: what passes is waited for, everything else fails at once."""

from __future__ import annotations

import pytest

from tests import mtui
from tests.faults.slurm_study import Study

FAILED = "sbatch: error: Batch job submission failed: "
POLICY = f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"
MUNGE_DOWN = (
    "sbatch: error: If munged is up, restart with --num-threads=10\n"
    'sbatch: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory '
    "(Did you start munged?)\n"
    "sbatch: error: slurm_send_node_msg: auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error\n"
    f"{FAILED}Protocol authentication error\n"
)


def test_outage_of_the_login_node_is_waited_for(study: Study) -> None:
    study.slurm.answer(1, stderr=MUNGE_DOWN)
    driver = study.start({"a": "true"})
    assert "munge" in driver.wait_for("submit_deferred")[0]["message"]
    assert driver.wait() == 0
    assert study.ran() == {"a": 1}


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (f"sbatch: error: QOSMinGRES\n{POLICY}", "choose another 'qos'"),
        (f"sbatch: error: QOSMaxMemoryPerJob\n{POLICY}", "lower 'mem'"),
        (
            "** communication with support: help@site **\nsbatch: error: Your communication partition is closed\n"
            f"{FAILED}Invalid partition name specified\nbye: connection refused, timed out\n",
            "Your communication partition is closed; Invalid partition name specified (hint: correct 'queue')",
        ),
        (
            f"sbatch: error: Project p1 has no hours left (job submit limit)\n{FAILED}Unspecified error\n",
            "Project p1 has no hours left",
        ),
    ],
    ids=["demand of a QOS", "memory limit", "banner", "site's rule"],
)
def test_job_that_will_never_be_accepted_fails_at_once(study: Study, stderr: str, words: str) -> None:
    study.slurm.answer(1, stderr=stderr)
    driver = study.start({"a": "true"})
    assert words in driver.wait_for("submit_refused")[0]["message"]
    assert driver.wait() == 2
    assert mtui.statuses(study.out) == {"a": "failed"}
    assert study.slurm.calls("sbatch") == 1


def test_banner_of_a_site_does_not_hide_the_job(study: Study) -> None:
    study.slurm.answer(0, "Welcome. 3 of 40 TB used.\nJOB\nHave a nice day\n", "sbatch: lua: partition set to cpu\n")
    driver = study.start({"a": "$GO"})
    driver.wait_for("submitted", job="101")
    study.go("a")
    assert driver.wait() == 0
    assert study.ran() == {"a": 1}
