"""What a cluster allows, as its programs print it."""

from __future__ import annotations

import pytest

from mtui.core.backends.cluster_limits import ClusterLimits, parse_config, parse_limits, read_cluster_limits

CONFIG = """\
Configuration data as of 2026-11-22T23:41:22
AccountingStorageBackupHost = (null)
MaxArraySize            = 65001
MaxJobCount             = 200000
MinJobAge               = 600 sec
SLURM_CONF              = /etc/slurm/slurm.conf
SlurmctldParameters     = enable_configless,a=b

Slurmctld(primary) at ctl1 is UP
"""
QOS = "normal||||\ndebug|5|||\nregular|5000||\nshared|10000|300|7000\npremium||40|x\n"
ACCOUNTS = "m1|1000||regular\nm2||20000|\nm1|200||debug\nm3|||shared\n"


def test_configuration_is_read_by_its_keys() -> None:
    values = parse_config(CONFIG)
    assert (values["MaxArraySize"], values["MinJobAge"]) == ("65001", "600 sec")
    assert values["SlurmctldParameters"] == "enable_configless,a=b"


def test_smallest_limit_of_each_name_counts() -> None:
    assert parse_limits(QOS, 3) == {"debug": 5, "regular": 5000, "shared": 300, "premium": 40}
    assert parse_limits(ACCOUNTS, 2) == {"m1": 200, "m2": 20000}


@pytest.mark.parametrize("text", ["", "\n", "no such thing\n", "|||\n", "a|b|c\n", "a|-1|1.5|\n"])
def test_lines_without_a_limit_are_passed_over(text: str) -> None:
    assert parse_limits(text, 3) == {}
    assert parse_limits(f"{text}\nq|5\n", 3) == {"q": 5}


def test_site_is_what_its_programs_print() -> None:
    site = read_cluster_limits(CONFIG, QOS, ACCOUNTS)
    assert (site.max_array, site.max_jobs, site.min_job_age) == (65001, 200_000, 600.0)
    assert site.default_qos == {"m1": "debug", "m3": "shared", "": "regular"}


@pytest.mark.parametrize("config", ["", "garbage", "MaxArraySize =\nMaxJobCount = many\nMinJobAge = (null)\n"])
def test_what_cannot_be_queried_has_slurms_defaults(config: str) -> None:
    assert read_cluster_limits(config, "", "") == ClusterLimits()
    assert (ClusterLimits().max_array, ClusterLimits().max_jobs, ClusterLimits().min_job_age) == (1001, 10_000, 300.0)


def test_cluster_without_arrays_allows_one_task() -> None:
    assert read_cluster_limits("MaxArraySize = 0\n", "", "").max_array == 1


@pytest.mark.parametrize(
    ("qos", "account", "limit"),
    [
        ("shared", "", 300),
        ("regular", "m2", 5000),
        ("regular", "m1", 200),
        ("normal", "m2", 20_000),
        ("normal", "", 100_000),  # half of what the controller keeps: others are there too
        ("", "m1", 5),  # by the account's default QOS
        ("", "m3", 300),
        ("", "m2", 5000),  # by the user's
        ("", "", 5000),
        ("unheard", "of", 100_000),
    ],
)
def test_limit_of_a_job_is_the_smallest_that_it_is_under(qos: str, account: str, limit: int) -> None:
    assert read_cluster_limits(CONFIG, QOS, ACCOUNTS).submit_limit(qos, account) == limit


def test_site_that_cannot_be_queried_still_has_a_limit() -> None:
    assert ClusterLimits().submit_limit("any", "any") == 5000
