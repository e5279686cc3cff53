"""Reads and changes the number of GPUs in a value of --gres, such as `gpu:4` or `gpu:a100:4,shard:1`."""

from __future__ import annotations

import re

# A type may begin with a digit (`1g.5gb`), but is no number. The count is 1 if it is missing.
_GPU = re.compile(r"(?P<name>(?:gres[:/])?gpu(?::(?!\d+(?:,|$))[\w.-]+)?)(?::(?P<count>\d+))?")


def gpu_count(value: str) -> str:
    """Return the number of GPUs; empty if the value has none, or several types with separate numbers."""
    matches = [match for part in value.split(",") if (match := _GPU.fullmatch(part))]
    return matches[0].group("count") or "1" if len(matches) == 1 else ""


def with_gpus(value: str, count: str) -> str:
    """Return the value with another number of GPUs, of the same type and beside the same other resources."""
    if not gpu_count(value):
        return f"gpu:{count}"
    parts = [(part, _GPU.fullmatch(part)) for part in value.split(",")]
    return ",".join(f"{match.group('name')}:{count}" if match else part for part, match in parts)
