"""The table of sbatch's errors, against Slurm's own texts and what sites print around them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from mtui.core.backends.backend import Accepted, Deferred, Refused, Unclear
from mtui.core.backends.submit_answer import sbatch_answer
from mtui.core.backends.submit_errors import ERRORS, ErrorClass, submit_error

FAILED = "sbatch: error: Batch job submission failed: "
POLICY = f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"
ANSWERS = {
    ErrorClass.LIMIT: Deferred,
    ErrorClass.OUTAGE: Deferred,
    ErrorClass.SILENCE: Unclear,
    ErrorClass.DEPENDENCY: Deferred,
    ErrorClass.POLICY: Deferred,  # without a reason
    ErrorClass.PERMANENT: Refused,
    ErrorClass.UNKNOWN: Deferred,
}
# A site's words may be those of any error.
BEFORE = (
    "*** Welcome. Communication with support: help@site. Connection refused? Timed out? Job submit limit? ***\n"
    "Rate limit exceeded, please retry later\n"
    "Lmod has detected an error: Invalid partition name specified\n"
    "sbatch: lua: QOSMaxSubmitJobPerUserLimit is 100 for you, Unable to contact slurm controller\n"
)
AFTER = "See https://site/docs for QOSMaxMemoryPerJob and Socket timed out on send/recv operation\n\nInvalid qos\n"

OUTPUTS = Path(__file__).parent / "slurm_outputs"

# In slurm_errno.c of versions between those in OUTPUTS, or on other systems.
BETWEEN = {
    "Success",
    "Authentication failure",
    "TLS missing but required for connection",
    "Unable to contact slurm controller",
    "Kernel reported delayed socket error after successful write(), client side likely closed",
    "Process is shutting down and closing all communications",
}

COUNTS = [
    "QOSMaxSubmitJobPerUserLimit", "QOSGrpSubmitJobsLimit", "AssocMaxSubmitJobLimit", "AssocGrpSubmitJobsLimit",
    "MaxSubmitJobsPerAccount", "QOSMaxJobsPerUserLimit", "QOSGrpJobsLimit", "AssocMaxJobsLimit", "AssocGrpJobsLimit",
    "MaxJobsPerAccount", "AssociationJobLimit", "QOSJobLimit",
]  # fmt: skip
SIZES = [
    "QOSMaxMemoryPerJob", "QOSMaxMemoryPerNode", "QOSMaxMemoryPerUser", "QOSMaxCpuPerNode", "QOSMaxCpuPerJobLimit",
    "QOSMaxCpuPerUserLimit", "QOSMaxNodePerJobLimit", "QOSMaxNodePerUserLimit", "QOSMaxWallDurationPerJobLimit",
    "QOSMaxCpuMinutesPerJobLimit", "QOSMaxGRESPerJob", "QOSMaxGRESPerUser", "QOSMaxGRESMinutesPerJob", "QOSMinGRES",
    "QOSMinCpuNotSatisfied", "QOSMinNode", "QOSMinMemory", "QOSMinBilling", "QOSMaxLicensePerJob", "QOSMaxBBPerJob",
    "QOSMaxBillingPerJob", "QOSMaxEnergyPerJob", "QOSMaxUnknownPerJob", "QOSGrpCpuLimit", "QOSGrpCPUMinutesLimit",
    "QOSGrpNodeLimit", "QOSGrpMemLimit", "QOSGrpWallLimit", "QOSTimeLimit", "QOSResourceLimit", "QOSNotAllowed",
    "QOSUsageThreshold", "AssocMaxWallDurationPerJobLimit", "AssocMaxCpuPerJobLimit", "AssocMaxNodePerJobLimit",
    "AssocMaxCpuMinutesPerJobLimit", "AssocGrpCPUMinutesLimit", "AssocGrpCPURunMinutesLimit", "AssocGrpGRES",
    "AssocMaxGRESMinutesPerJob", "AssociationResourceLimit", "AssociationTimeLimit", "MaxMemPerLimit",
    "MaxCpuPerAccount", "MaxGRESPerAccount", "MaxNodePerAccount", "AccountNotAllowed",
]  # fmt: skip


@pytest.mark.parametrize("text", ERRORS)
def test_class_of_an_error_does_not_depend_on_a_sites_words(text: str) -> None:
    kind = ANSWERS[ERRORS[text].error_class]
    if text != "Unspecified error":  # see below
        for stderr in (
            f"{FAILED}{text}\n",
            f"{BEFORE}{FAILED}{text}\n{AFTER}",
            f"[2026-11-29T12:00:00] {FAILED}{text}",
        ):
            answer = sbatch_answer(1, "Welcome\n", stderr)
            assert not isinstance(answer, Accepted)
            assert type(answer) is kind
            assert text in answer.message
            assert "Welcome" not in answer.message


@pytest.mark.parametrize("text", [text for text, error in ERRORS.items() if error.error_class is ErrorClass.PERMANENT])
def test_refusal_says_what_to_change(text: str) -> None:
    answer = sbatch_answer(1, "", f"{FAILED}{text}\n")
    assert isinstance(answer, Refused)
    assert re.fullmatch(rf"{re.escape(text)} \(hint: .+\)", answer.message)


def test_every_text_is_one_of_slurm() -> None:
    """`tests/slurm/outputs.py` wrote the texts of three versions."""
    known = {os.strerror(number) for number in range(1, 134)} | BETWEEN
    for file in OUTPUTS.glob("*.txt"):
        lines = file.read_text(encoding="utf-8").partition("$ slurm_strerror\n")[2].splitlines()
        assert len(lines) > 200, file.name
        known |= {line.partition(" ")[2] for line in lines}
    assert [text for text in ERRORS if text not in known] == []


def test_every_reason_of_the_installed_slurm_is_permanent_but_counts() -> None:
    library = next(Path("/usr/lib").glob("*/slurm-wlm/libslurmfull.so"), None)
    if library is None:
        pytest.skip("no Debian package of Slurm is installed")
    texts = set(library.read_bytes().split(b"\0"))
    reasons = [text.decode() for text in texts if re.fullmatch(rb"(QOS|Assoc)(Max|Min|Grp)\w+", text)]
    assert len(reasons) > 100
    wrong = [reason for reason in reasons if _class_of_reason(reason) is not ErrorClass.PERMANENT]
    assert sorted(wrong) == sorted(set(COUNTS) & set(reasons))


def _class_of_reason(reason: str) -> ErrorClass | None:
    found = submit_error(
        "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", [reason]
    )
    return found.error_class if found else None


@pytest.mark.parametrize("reason", COUNTS)
def test_limit_on_the_number_of_jobs_passes(reason: str) -> None:
    answer = sbatch_answer(1, "", f"{BEFORE}sbatch: error: {reason}\n{POLICY}{AFTER}")
    assert isinstance(answer, Deferred)
    assert answer.limit
    assert f"{reason}; Job violates" in answer.message


@pytest.mark.parametrize("reason", SIZES)
def test_limit_on_the_size_of_a_job_never_passes(reason: str) -> None:
    answer = sbatch_answer(1, "", f"{BEFORE}sbatch: error: {reason}\n{POLICY}{AFTER}")
    assert isinstance(answer, Refused)
    assert f"{reason}; Job violates" in answer.message
    assert "(hint: " in answer.message


def test_dependency_problem_passes_only_if_the_study_made_the_dependency() -> None:
    stderr = f"{FAILED}Job dependency problem\n"
    assert isinstance(sbatch_answer(1, "", stderr, bound=True), Deferred)
    assert isinstance(sbatch_answer(1, "", stderr, bound=False), Refused)


MUNGE = (
    "sbatch: error: If munged is up, restart with --num-threads=10\n"
    'sbatch: error: Munge encode failed: Failed to access "/nonexistent/munge": No such file or directory (Did you '
    "start munged?)\n"
    "sbatch: error: slurm_send_node_msg: auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error\n"
    f"{FAILED}Protocol authentication error\n"
)
NAMES = (
    "sbatch: error: get_addr_info: getaddrinfo() failed: Name or service not known: No error, attempt number 5\n"
    "sbatch: error: get_addr_info: getaddrinfo() fAiled: Name or service not known\n"
    'sbatch: error: slurm_set_addr: Unable to resolve "nosuchhost.invalid"\n'
    "sbatch: error: Unable to establish control machine address\n"
    f"{FAILED}No error\n"
)
NO_FILE = (
    "sbatch: error: s_p_parse_file: cannot stat file /etc/slurm/slurm.conf: No such file or directory, retrying in "
    "1sec up to 60sec\nsbatch: error: ClusterName needs to be specified\n"
    "sbatch: fatal: Unable to process configuration file\n"
)
NO_SOURCE = (
    "sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
    "sbatch: error: fetch_config: DNS SRV lookup failed\n"
    "sbatch: error: _establish_config_source: failed to fetch config\n"
    "sbatch: fatal: Could not establish a configuration source\n"
)


@pytest.mark.parametrize("stderr", [MUNGE, NAMES, NO_FILE, NO_SOURCE], ids=["munge", "names", "no file", "no source"])
def test_outage_of_the_login_node_passes(stderr: str) -> None:
    answer = sbatch_answer(1, "", BEFORE.replace("sbatch: lua", "lua") + stderr)
    assert isinstance(answer, Deferred)
    assert (answer.limit, answer.unknown) == (False, False)


def test_authentication_error_of_an_answer_leaves_open_whether_the_job_was_accepted() -> None:
    assert isinstance(sbatch_answer(1, "", f"{FAILED}Protocol authentication error\n"), Unclear)


@pytest.mark.parametrize("text", ["Unspecified error", "Something new in Slurm 27", "No such file or directory"])
def test_unknown_error_is_tried_again_a_few_times(text: str) -> None:
    answer = sbatch_answer(1, "", f"welcome\nsbatch: error: spank: x11.so: Plugin file not found\n{FAILED}{text}\n")
    assert isinstance(answer, Deferred)
    assert answer.unknown


@pytest.mark.parametrize(
    "line",
    [
        "sbatch: error: Project p1 has no hours left",
        "sbatch: lua: too many GPUs",
        "sbatch: error: lua: Connection refused",
    ],
)
def test_unspecified_error_with_words_of_the_site_is_a_refusal(line: str) -> None:
    answer = sbatch_answer(1, "", f"welcome\n{line}\n{FAILED}Unspecified error\n")
    assert isinstance(answer, Refused)
    assert "has no hours left" in answer.message or "GPUs" in answer.message or "refused" in answer.message


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "answer"),
    [
        (0, "", f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{POLICY}", Deferred),  # a wrapper returns 0
        (0, "", f"{FAILED}Invalid qos specification\n", Refused),
        (0, "12\n", f"{FAILED}Socket timed out on send/recv operation\n", Accepted),  # a wrapper tried again
        (3, "12\n", "", Accepted),  # --wait: the exit code is the job's
        (127, "", "/usr/local/bin/sbatch: line 2: exec: sbatch: not found\n", Deferred),
        (1, "", "ERROR: this project is closed\n", Refused),
    ],
    ids=["limit", "refused", "second try", "wait", "no program", "wrapper"],
)
def test_wrapper_of_sbatch_does_not_hide_the_answer(code: int, stdout: str, stderr: str, answer: type) -> None:
    assert type(sbatch_answer(code, stdout, stderr)) is answer


def test_message_is_bounded() -> None:
    answer = sbatch_answer(1, "", "sbatch: error: long\n" * 10_000 + f"{FAILED}Invalid qos specification\n")
    assert isinstance(answer, Refused)
    assert len(answer.message) < 1200
    assert "Invalid qos specification" in answer.message
