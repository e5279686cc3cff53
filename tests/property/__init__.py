import pytest

# The machines hold the assertions: let a failure of theirs show its values, as one in a test file does.
_MACHINES = ("driver_machine", "world_machine", "packed_driver", "packed_world")
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _MACHINES))
