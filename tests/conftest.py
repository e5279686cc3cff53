"""The fixtures that all tests share: the private Slurm cluster, and what Maestro makes of studies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.slurm.cluster import Cluster, ClusterError
from tests.slurm.config import missing_programs

settings.register_profile("ci", derandomize=True)  # there a failure must be the change's, not the draw's
if os.environ.get("CI"):
    settings.load_profile("ci")

# Ignored signals are inherited, as from nohup or the background of a script; they are tested, so none is ignored.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

SHARED = Path(__file__).parents[2] / "shared"  # beside the checkout: probe specs, and Maestro's plan of each


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where every mtui of the tests remembers studies: not in the home of whoever runs them."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the conformance data."""
    if not (SHARED / "conformance").is_dir():
        refuse = pytest.fail if os.environ.get("MTUI_REQUIRE_SLURM") else pytest.skip
        refuse(f"there is no conformance data in {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The private cluster, one for each process that runs tests; tests request `slurm` instead."""
    if missing := missing_programs():
        refuse = pytest.fail if os.environ.get("MTUI_REQUIRE_SLURM") else pytest.skip
        refuse(f"Slurm is not all there; missing: {', '.join(missing)}")
    try:
        cluster = Cluster().start()
    except ClusterError:  # a daemon that dies at its start is not what is tested here
        cluster = Cluster().start()
    yield cluster
    cluster.stop()


@pytest.fixture
def slurm(cluster: Cluster) -> Iterator[Cluster]:
    """The private cluster, healthy and without jobs; whatever the test does to it is undone."""
    cluster.wait_healthy()
    yield cluster
    cluster.restore()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the cluster, so that -m "not slurm" leaves them out.

    Where tests run side by side, those of a file stay together. Files with tests on the cluster come first: they take
    longest, most of it waiting for Slurm.
    """
    slow: set[Path] = set()
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("slurm")
            slow.add(item.path)
        item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=lambda item: item.path not in slow)
