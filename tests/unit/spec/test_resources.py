"""The table of resources: what each accepts, and that its examples and the lists made of it are true."""

from __future__ import annotations

import re

import pytest

from mtui.core.plan.resource_changes import CHANGEABLE
from mtui.core.spec.resources import RESOURCES, is_word
from mtui.core.spec.retry_keys import IN_RULES


@pytest.mark.parametrize("key", RESOURCES)
def test_the_example_of_a_resource_is_accepted(key: str) -> None:
    resource = RESOURCES[key]
    examples = [text.strip('"') for text in re.split(r", or ", resource.example)]
    assert all(resource.form.pattern.fullmatch(text) for text in examples if text)
    if resource.by_hand and " " not in resource.example:
        assert all(resource.refuse(key, text) is None for text in examples if text)


def test_every_option_is_another_one() -> None:
    assert len({resource.option for resource in RESOURCES.values()}) == len(RESOURCES)


def test_what_a_rule_changes_a_person_can_change_too() -> None:
    assert set(IN_RULES) < set(CHANGEABLE)


def test_only_amounts_grow() -> None:
    assert not [key for key, resource in RESOURCES.items() if resource.grows and resource.is_place]


def test_a_rule_names_amounts_before_places() -> None:
    places = [RESOURCES[key].is_place for key in IN_RULES]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("key", "accepts"), [("nodes", False), ("procs", False), ("cores per task", False), ("gpus", True)]
)
def test_zero_is_accepted_for_gpus_alone(key: str, accepts: bool) -> None:
    assert (RESOURCES[key].refuse(key, "0") is None) is accepts


@pytest.mark.parametrize("text", ["", "a b", "a\nb", 'a"', "it's", "a\\b", "a#b", "x" * 201])
def test_what_could_end_a_header_line_is_no_word(text: str) -> None:
    assert not is_word(text)
