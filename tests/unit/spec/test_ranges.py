"""Ranges count in decimals and hold both ends."""

from __future__ import annotations

import pytest

from mtui.core.spec.ranges import RangeError, numbers


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        (("1", "3"), "1 2 3"),
        (("0.1", "0.5", "0.1"), "0.1 0.2 0.3 0.4 0.5"),
        (("0", "1", "0.25"), "0.00 0.25 0.50 0.75 1.00"),
        (("0.50", "1.5", "0.5"), "0.50 1.00 1.50"),
        (("1", "2.9"), "1 2"),
        (("3", "1", "-1"), "3 2 1"),
        (("-0.2", "0.1", "0.1"), "-0.2 -0.1 0.0 0.1"),
        (("5", "5", "-7"), "5"),
        (("1e3", "3e3", "1e3"), "1000 2000 3000"),
        (("1e-3", "3e-3", "1e-3"), "0.001 0.002 0.003"),
        (("1_000", "1_001"), "1000 1001"),
        (("100000000000000000000000.1", "100000000000000000000000.2", "0.1"),
         "100000000000000000000000.1 100000000000000000000000.2"),
    ],
)  # fmt: skip
def test_a_range_is_counted_as_it_is_written(bounds: tuple[str, ...], found: str) -> None:
    assert " ".join(numbers(*bounds)) == found


def test_a_million_steps_of_a_tenth_would_drift_in_binary() -> None:
    assert numbers("0", "19999.9", "0.1")[123_456] == "12345.6"


@pytest.mark.parametrize(
    ("bounds", "message", "hint"),
    [
        (("1", "5", "0"), "a step of 0 has no effect", ""),
        (("5", "1"), "steps of 1 do not reach 1 from 5", "did you mean a step of -1?"),
        (("1", "5", "-0.5"), "steps of -0.5 do not reach 5 from 1", "did you mean a step of 0.5?"),
        (("1", "200001"), "from 1 to 200001 there are 200,001 values", "at most 200,000 can be swept"),
        (("1", "1e40"), "there are 1", "at most 200,000"),
        (("0", "1", "1e-40"), "there are 1", "at most 200,000"),
        (("1", "x"), "'x' is not a number", ""),
        (("1:30", "2"), "'1:30' is not a number", ""),
        (("1", "inf"), "'inf' is not a finite number", ""),
        (("nan", "1"), "'nan' is not a finite number", ""),
        (("1", "1e999999999"), "is not a finite number", ""),
        (("1", "2", "1e-999999999"), "is not a finite number", ""),
    ],
)
def test_what_is_no_range_is_refused_at_once(bounds: tuple[str, ...], message: str, hint: str) -> None:
    with pytest.raises(RangeError) as caught:
        numbers(*bounds)
    assert message in str(caught.value)
    assert hint in caught.value.hint
