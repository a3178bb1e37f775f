"""A run on several hosts: two drivers on loopback that share a folder, as on a slice."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.machine import Stage
from rstar_jax.search.runner import Share

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
ONE_ROUND = """
import dataclasses, runpy
def config(seed=0):
    whole = runpy.run_path({tiny!r})["config"](seed)
    return dataclasses.replace(whole, rounds=whole.rounds[:1], shard_problems=8)
"""


@pytest.fixture
def drive(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    spec = importlib.util.spec_from_file_location("drive", EXPERIMENTS / "drive.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "drive", module)
    spec.loader.exec_module(module)
    return module


def test_what_each_host_runs(drive) -> None:
    flags = drive.DriveFlags(
        config="c", run_dir=pathlib.Path("/run"), mesh=(1, 8, 1), search_mesh=(1, 1, 4), coordinator="first:100"
    )

    def tail(stage: Stage, host: Share, **changes) -> list[str] | None:
        made = drive.command(drive.dataclasses.replace(flags, **changes), stage, host, 7)
        return made and [pathlib.Path(made[0]).name, *made[made.index("/run") + 1 :]]

    search, ppm, data = Stage("search", 2), Stage("ppm", 2), Stage("data", 2)
    named = ["--stage", "search", "--round", "2"]
    assert tail(search, Share(1, 2)) == ["run_stage.py", *named, "--mesh", "1", "1", "4", "--shard", "1/2"]
    assert tail(data, Share(1, 2)) is None
    assert tail(data, Share(0, 2)) == ["run_stage.py", "--stage", "data", "--round", "2", "--mesh", "1", "1", "4"]
    training = ["run_stage.py", "--stage", "ppm", "--round", "2", "--mesh", "1", "8", "1"]
    meeting = ["--distributed", "--coordinator", "first:107", "--processes", "2", "--process", "1"]
    assert tail(ppm, Share(1, 2)) == training + meeting
    assert tail(ppm, Share(0, 1)) == training
    ray = {"ray_hosts": 5, "ray_resources": ("TPU=4",)}
    handed_out = ["search_cluster.py", "--mesh", "1", "1", "4", "--round", "2", "--hosts", "5", "--resources", "TPU=4"]
    assert tail(search, Share(0, 2), **ray) == handed_out
    assert tail(search, Share(1, 2), **ray) is None


def test_flags_that_make_no_sense(drive, tmp_path) -> None:
    assert drive.read_variables("A=1 B='x y'") == {"A": "1", "B": "x y"}
    with pytest.raises(InputError, match="NAME=VALUE"):
        drive.read_variables("A")
    with pytest.raises(InputError, match="HOST:PORT"):
        drive.Driver(drive.DriveFlags(run_dir=tmp_path, host="0/2", coordinator="first"))
    with pytest.raises(InputError, match="i/n"):
        drive.Driver(drive.DriveFlags(run_dir=tmp_path, host="first"))


WAITS = "import time; time.sleep(60)"
SAVES = "import signal, sys, time; signal.signal(15, lambda *a: sys.exit(143)); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def driver(drive, tmp_path, monkeypatch):
    """A driver of host 1 of 2 whose stage runs the program given."""

    def make(program: str | None, stage: Stage, **options):
        monkeypatch.setattr(drive, "next_stage", lambda config, run: stage)
        monkeypatch.setattr(drive, "command", lambda *arguments: program and ["-c", program])
        options = {"poll_seconds": 0.1, "rest_seconds": 0.0, "host": "1/2", "coordinator": "first:1"} | options
        return drive.Driver(drive.DriveFlags(run_dir=tmp_path, **options))

    before = signal.getsignal(signal.SIGTERM)
    yield make
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("program", [None, WAITS, SAVES])
def test_a_terminated_host_is_not_a_finished_one(driver, program) -> None:
    """Waiting, or with a stage under way: Kubernetes and systemd have to start it again."""
    one = driver(program, Stage("policy", 1))
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    assert one.to_the_end() == 143
    timer.join()


def test_a_stage_that_starts_while_the_host_is_terminated_is_told(driver, drive, monkeypatch) -> None:
    one = driver(WAITS, Stage("policy", 1))
    popen = subprocess.Popen

    def terminated_meanwhile(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return popen(*arguments, **options)

    monkeypatch.setattr(drive.subprocess, "Popen", terminated_meanwhile)
    start = time.monotonic()
    assert one.to_the_end() == 143
    assert time.monotonic() - start < 30


def test_a_host_that_gives_up_ends_the_others(driver, drive, tmp_path, monkeypatch) -> None:
    waiting = driver(None, Stage("data", 1), host="0/2")
    assert driver("raise SystemExit(1)", Stage("policy", 1), attempts=2).to_the_end() == 1
    assert "policy of round 1" in (tmp_path / "stopped" / "1-of-2.json").read_text()
    monkeypatch.setattr(drive, "command", lambda *arguments: None)
    assert waiting.to_the_end() == 1
    assert driver("raise SystemExit(2)", Stage("policy", 1)).to_the_end() == 2


def free_ports(count: int) -> int:
    """The first of some free ports behind each other."""
    for first in range(21_000, 60_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


def start(config: pathlib.Path, folder: pathlib.Path, host: str, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXPERIMENTS / "drive.py"), "--config", str(config), "--run-dir", str(folder)]
    command += ["--host", host, "--coordinator", f"127.0.0.1:{port}", "--mesh", "1", "2", "1", "--poll-seconds", "0.5"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def files(folder: pathlib.Path) -> dict[str, bytes]:
    found = [*folder.glob("problems/*.jsonl"), *folder.glob("round1/trees/*.parquet"), *folder.glob("round1/data/*")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(found)}


@pytest.mark.slow
def test_two_hosts_one_of_which_is_killed_end_as_one_host_does(tmp_path) -> None:
    """Search in shares, training together, evaluation in shares; the trainer of one host is killed on the way."""
    config, folder = tmp_path / "one_round.py", tmp_path / "two"
    config.write_text(ONE_ROUND.format(tiny=str(ROOT / "tests" / "evolution" / "tiny_config.py")))
    named = ["--config", str(config), "--run-dir", str(tmp_path / "one")]
    whole = [sys.executable, str(EXPERIMENTS / "evolve.py"), *named]
    subprocess.run(whole, check=True, capture_output=True, timeout=600)
    port = free_ports(10)
    hosts = [start(config, folder, f"{number}/2", port) for number in range(2)]
    deadline = time.monotonic() + 600
    while not (folder / "round1" / "policy" / "run.json").exists():
        assert all(host.poll() is None for host in hosts), [host.communicate()[0][-3000:] for host in hosts]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (trainer,) = psutil.Process(hosts[1].pid).children()
    os.kill(trainer.pid, signal.SIGKILL)
    outputs = [host.communicate(timeout=600)[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], [output[-3000:] for output in outputs]
    assert "it is started again" in outputs[1]
    assert files(folder) == files(tmp_path / "one")
    assert (folder / "report" / "summary.json").exists()
    assert (folder / "round1" / "metrics" / "search-0-of-2.json").exists()
