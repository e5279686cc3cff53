"""docs/spec.md and docs/sites.md name every key of a study file and of a profile, and no other."""

from __future__ import annotations

import re

import pytest

from mtui.core.sites import profile
from mtui.core.spec import mtui_block, retry_keys, slurm_keys, step_keys, study_parser
from mtui.core.spec.run_keys import RUN_KEYS
from mtui.core.spec.study_spec import BATCH_SYSTEMS
from tests.docs.markdown import blocks, tables

KEYS: dict[str, set[str]] = {
    "key of the file": set(study_parser._TOP_KEYS),
    "key of `run`": set(RUN_KEYS),
    "key of `env`": {"variables", "labels", "dependencies", "sources"},
    "key of `batch`": {*study_parser._BATCH_KEYS, *slurm_keys.BATCH_KEYS},
    "key of `mtui`": set(mtui_block._KEYS),
    "key of `pack`": set(mtui_block._PACK_KEYS),
    "key of a step": set(step_keys._KEYS),
    "cause": {*retry_keys.CAUSES, "an exit code"},
    "key of a rule": {*retry_keys._KEYS, *retry_keys.IN_RULES},
    "key of a profile": set(profile._KEYS),
}
_PATHS = ("docs/spec.md", "docs/sites.md")


@pytest.mark.parametrize("head", KEYS)
def test_a_table_has_all_keys(head: str) -> None:
    (table,) = (table for path in _PATHS for table in tables(path) if table[0][0] == head)
    named = [key for row in table[1:] for key in re.findall(r"`([^`]+)`", row[0]) or [row[0]]]
    assert sorted(named) == sorted(KEYS[head])


def test_what_a_profile_says_of_nodes_and_qos() -> None:
    (table,) = (table for table in tables("docs/sites.md") if table[0][0] == "key of a profile")
    reported = {row[0].strip("`"): set(re.findall(r"`([^`]+)`", row[1])) for row in table[1:]}
    assert reported["nodes"] == set(profile._NODE_KEYS)
    assert reported["qos"] == set(profile._QOS_KEYS)
    assert reported["required"] == set(profile._REQUIRED)


def test_profile_that_is_shown_is_read() -> None:
    (shown,) = (block.text for block in blocks("docs/sites.md") if block.language == "yaml")
    assert profile.read_profile(shown, "mysite.yaml").confirm == 500


def test_every_batch_system_is_named() -> None:
    (table,) = (table for table in tables("docs/spec.md") if table[0][0] == "key of `batch`")
    reported = next(row[1] for row in table[1:] if row[0] == "`type`")
    assert {"local", *BATCH_SYSTEMS} <= set(re.findall(r"`([^`]+)`", reported))
