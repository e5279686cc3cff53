"""Profiles of sites: found, read, and wrong ones reported with their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.errors import UsageError
from mtui.core.sites.profile import NodeType, Profile, Qos, read_profile
from mtui.core.sites.profile_search import find_profile
from mtui.core.spec.problems import SpecError

TEXT = """\
name: here
recognise: {SITE: here}
required: [constraint, account]
partition: empty
default_qos: short
nodes:
  thin: {threads: 8, memory: 16G}
  fat: {threads: 64, memory: 1T, gpus: 2, account_ends: _f}
qos:
  short: {walltime: "00:30:00", nodes: 2, submit: 5}
  long: {walltime: "1-00:00:00", least_walltime: 60, factor: 0.5}
confirm: 100
"""


def test_profile_is_what_it_says() -> None:
    assert read_profile(TEXT, "f") == Profile(
        "here", "f", {"SITE": "here"}, ("constraint", "account"), True, "short",
        {"thin": NodeType(8, 16384), "fat": NodeType(64, 1024 * 1024, 2, "_f")},
        {"short": Qos(1800, 0, 2, 5), "long": Qos(86400, 3600, 0, 0, 0.5)},
        100.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "f: a profile needs at least a name"),
        ("[a]", "f:1:1: the site's profile must be a mapping (key: value), but is a list"),
        ("recognise: {}", "f:1:1: the site's profile has no 'name'"),
        ("name: x\nqoss: {}", "f:2:1: the site's profile: unknown key 'qoss'"),
        ("name: x\nrequired: [colour]", "f:2:12: required: 'colour' is none of constraint, account, walltime, qos"),
        ("name: x\npartition: full", "f:2:12: partition: the only word is 'empty', not 'full'"),
        ("name: x\nnodes: {a: 5}", "f:2:12: nodes: a must be a mapping (key: value), but is a whole number"),
        ("name: x\nnodes: {a: {core: 5}}", "f:2:13: nodes: a: unknown key 'core'"),
        ("name: x\nnodes: {a: {memory: lots}}", "f:2:21: nodes: a: 'memory' must be an amount"),
        ("name: x\nqos: {a: {walltime: long}}", "f:2:21: qos: a: 'walltime' must be a time"),
        ("name: x\nqos: {a: {submit: -1}}", "f:2:19: qos: a: 'submit' must be a number, but is a whole number"),
        ("name: x\nconfirm: yes", "f:2:10: the site's profile: 'confirm' must be a number, but is true/false"),
    ],
)
def test_wrong_profile_is_reported_with_its_place(text: str, reported: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_profile(text, "f")
    assert str(caught.value).split("\n")[0] == reported


def home(tmp_path: Path, **files: str) -> dict[str, str]:
    """An environment whose user has these profiles."""
    folder = tmp_path / "mtui" / "sites"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_site_is_recognised_by_the_machine(tmp_path: Path) -> None:
    environment = home(tmp_path, here=TEXT)
    assert find_profile("", tmp_path, environment) is None
    found = find_profile("", tmp_path, {**environment, "SITE": "here"})
    assert found and found.name == "here"
    nersc = find_profile("", tmp_path, {**environment, "NERSC_HOST": "perlmutter"})
    assert nersc and (nersc.name, nersc.qos["debug"].walltime) == ("perlmutter", 1800)
    assert find_profile("none", tmp_path, {"NERSC_HOST": "perlmutter"}) is None


def test_site_is_named_or_a_file_beside_the_study(tmp_path: Path) -> None:
    environment = home(tmp_path, perlmutter=TEXT)
    (tmp_path / "mine.yaml").write_text(TEXT)
    own = find_profile("perlmutter", tmp_path, environment)
    beside = find_profile("./mine.yaml", tmp_path, environment)
    assert own and beside
    assert (own.name, beside.name) == ("here", "here")  # the user's own takes the place of ours
    built_in = find_profile("perlmutter", tmp_path, {"HOME": str(tmp_path)})
    assert built_in and built_in.name == "perlmutter"


@pytest.mark.parametrize(
    ("site", "reported"),
    [("perlmuter", "there is no site 'perlmuter'"), ("./none.yaml", "cannot read the site's profile")],
)
def test_site_that_is_not_there_is_reported(tmp_path: Path, site: str, reported: str) -> None:
    with pytest.raises(UsageError, match=reported) as caught:
        find_profile(site, tmp_path, {"HOME": str(tmp_path)})
    assert caught.value.hint == ("did you mean 'perlmutter'?" if site == "perlmuter" else "")
