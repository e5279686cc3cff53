"""Where the leader waits for its workers."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from pathlib import Path

import pytest

from mtui.core.packing import transport, worker_pool
from mtui.core.packing.timers import Timers
from mtui.core.packing.worker_pool import WorkerPool, _address  # pyright: ignore[reportPrivateUsage]
from tests.no_threads import NoThreads
from tests.waiting import wait_until


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scontrol, which prints what is in this file."""
    (tmp_path / "scontrol").write_text(f"#!/bin/sh\ncat {tmp_path}/names\n")
    (tmp_path / "scontrol").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "names"


@pytest.mark.parametrize(
    ("own", "nodes", "hostnames", "address"),
    [
        ("n1", "n1", "", "127.0.0.1"),  # the only node is this one
        ("n1", "n[1-2]", "n1\n127.0.0.2\n", "127.0.0.1"),  # towards the other
        ("", "n1", "127.0.0.2\n", "127.0.0.1"),  # salloc: this host is not in the allocation
        ("n1", "n[1-2]", "n1\nno-such-host.invalid\n", ""),
        ("n1", "n[1-2]", "", ""),
        ("", "", "", ""),
    ],
)
def test_leader_listens_on_the_interface_towards_the_workers(
    names: Path, own: str, nodes: str, hostnames: str, address: str
) -> None:
    names.write_text(hostnames)
    batch = {"SLURMD_NODENAME": own, "SLURM_JOB_NODELIST": nodes}
    assert _address({name: text for name, text in batch.items() if text}) == address


def test_step_whose_workers_hang_is_ended_with_the_leader(names: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, ready = names.parent / "srun", names.parent / "ready"
    step.write_text(f"#!/bin/sh\ntrap 'echo ended > {names}; exit' TERM\n: > {ready}\nwhile sleep 0.05; do :; done\n")
    step.chmod(0o700)
    monkeypatch.setattr(worker_pool, "_ENDED_WITHIN", 0.1)
    with selectors.DefaultSelector() as selector:
        pool = WorkerPool(selector, Timers(), {"PATH": os.environ["PATH"]})
        pool.start(1)
        wait_until(ready.exists, 20, "srun runs")
        pool.dismiss()
    wait_until(names.exists, 20, "srun was ended")


def test_a_worker_tries_again_when_it_was_dropped() -> None:
    """As an old client among too many that are not authenticated."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drop_first() -> None:
            server.accept()[0].close()
            server.close()

        dropping = threading.Thread(target=drop_first)
        dropping.start()
        door = transport.Door(b"key", "127.0.0.1")
        port = server.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            real = socket.create_connection
            ports = iter((port,))
            patch.setattr(
                socket, "create_connection", lambda _, timeout: real(("127.0.0.1", next(ports, door.port)), timeout)
            )
            found: list[transport.Line] = []
            calling = threading.Thread(target=lambda: found.append(transport.call("127.0.0.1", port, b"key")))
            calling.start()
            admitted: list[transport.Line] = []
            while not admitted:
                admitted += door.answer()
            calling.join(20)
        dropping.join(20)
    (worker,), (leader,) = found, admitted
    transport.send(worker, {"node": "n1"})
    assert transport.receive(leader) == {"node": "n1"}
    for line in (worker, leader, door):
        line.close()


def test_worker_for_which_the_leader_can_start_no_thread_is_dropped_and_connects_again(no_threads: NoThreads) -> None:
    no_threads.allow_only(1)
    door = transport.Door(b"key", "127.0.0.1")
    found: list[transport.Line] = []
    calling = threading.Thread(target=lambda: found.append(transport.call("127.0.0.1", door.port, b"key")))
    calling.start()

    def dropped() -> bool:
        assert door.answer() == []
        return no_threads.refused > 0

    wait_until(dropped, 20, "the leader has no thread for a worker")
    no_threads.allow()
    (leader,) = wait_until(door.answer, 20, "the worker is admitted")
    calling.join(20)
    (worker,) = found
    transport.send(worker, {"node": "n1"})
    assert transport.receive(leader) == {"node": "n1"}
    for line in (worker, leader, door):
        line.close()
