"""Ranges of numbers, both ends included, in decimal arithmetic: steps of 0.1 give 0.1, 0.2, 0.3."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, localcontext

from .sweep import MOST_ROWS

_MOST_DIGITS = 40  # on each side of the decimal point


class RangeError(ValueError):
    """The range is invalid; `hint` suggests a correction."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def numbers(first: str, last: str, step: str = "1") -> tuple[str, ...]:
    """Return the numbers from `first` to `last`, each with as many decimals as `first` or `step`, whichever has more.

    Raises RangeError.
    """
    with localcontext() as context:
        context.prec = 4 * _MOST_DIGITS
        start, end, by = _number(first), _number(last), _number(step)
        if not by:
            raise RangeError(f"a step of {step} has no effect")
        if (end - start) * by < 0:
            back = f"-{step}" if by > 0 else step.removeprefix("-")
            raise RangeError(f"steps of {step} do not reach {last} from {first}", f"did you mean a step of {back}?")
        count = int((end - start) // by) + 1
        if count > MOST_ROWS:
            raise RangeError(
                f"from {first} to {last} there are {count:,} values", f"at most {MOST_ROWS:,} can be swept"
            )
        decimals = max(0, *(-_exponent(number) for number in (start, by)))
        return tuple(f"{start + number * by:.{decimals}f}" for number in range(count))


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise RangeError(f"'{text}' is not a number") from None
    if not number.is_finite() or max(abs(number.adjusted()), -_exponent(number)) > _MOST_DIGITS:
        raise RangeError(f"'{text}' is not a finite number")
    return number


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
