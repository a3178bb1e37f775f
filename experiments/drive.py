"""All stages of a run on several hosts: the same command on each of them, until the run is finished.

    python experiments/drive.py --config qwen2_5_math_7b --run-dir /shared/run \\
        --host 3/16 --coordinator host-0:8476 --mesh 1 64 1 --search-mesh 1 1 4

The hosts meet in the run directory, which has to be one that all of them see. In a search or an evaluation each host
works on its share with an engine on its own chips; for training they are one `jax.distributed` job; the rest the first
host does alone while the others wait. Each stage is a process of its own (`run_stage.py`), so that chips change hands
between engines and trainer. A stage that fails is started again; bad input (exit code 2) ends the run on all hosts.
SIGTERM is passed on, training saves, and the exit code is 143; it is 0 only when the run is finished. On a single host
`evolve.py` does the same in one process.

With --ray-hosts searches are handed out on a Ray cluster, whose hosts may come and go (`search_cluster.py`), and not
cut into fixed shares.

Hardware: that of the config.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

import tyro
from common import Flags, checked_config, run_dir
from run_stage import read_share

from rstar_jax.errors import EXIT_BAD_INPUT, EXIT_TERMINATED, InputError, run_main
from rstar_jax.evolution.machine import Stage, next_stage, stages_of
from rstar_jax.files import read_json, write_json
from rstar_jax.search.progress import say
from rstar_jax.search.runner import Share

_SCRIPTS = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriveFlags(Flags):
    """Attributes:
      host: i/n, which of how many hosts this is, from 0.
      coordinator: the first host and a free port there, as HOST:PORT; the ports that follow it, one for each stage,
        have to be free too. Needed with several hosts.
      mesh: for training, over the devices of all hosts.
      search_mesh: of an engine, over the devices of one host.
      alone: variables, as NAME=VALUE ..., for the processes that use the chips of their own host only; a TPU slice
        needs some (`launch/on_host.sh`).
      attempts: of a stage on this host.
      poll_seconds: between looks at the run directory while others work.
      rest_seconds: before another attempt.
      ray_hosts, ray_resources: of `search_cluster.py`, whose --hosts and --resources they are.
    """

    host: str = "0/1"
    coordinator: str | None = None
    search_mesh: tuple[int, int, int] = (1, 1, 1)
    alone: str = ""
    attempts: int = 20
    poll_seconds: float = 10.0
    rest_seconds: float = 10.0
    ray_hosts: int = 0
    ray_resources: tuple[str, ...] = ("CPU=1",)


def read_variables(text: str) -> dict[str, str]:
    """Of "A=1 B=2". Raises InputError."""
    found = [entry.partition("=") for entry in shlex.split(text)]
    if not all(name and sign for name, sign, _ in found):
        raise InputError(f"{text!r} are no variables: they have to be NAME=VALUE ...")
    return {name: value for name, _, value in found}


def command(flags: DriveFlags, stage: Stage, host: Share, number: int) -> list[str] | None:
    """What this host runs for a stage, the `number`-th of its run; None: other hosts do it."""
    common = ["--config", flags.config, "--seed", str(flags.seed), "--run-dir", str(run_dir(flags).root)]
    common += ["--require-sandbox"] if flags.require_sandbox else []
    common += ["--server", flags.server] if flags.server else []
    engine, trainer = (["--mesh", *map(str, sizes)] for sizes in (flags.search_mesh, flags.mesh))
    if stage.name == "search" and flags.ray_hosts and host.index == 0:
        ray = ["--hosts", str(flags.ray_hosts), "--resources", *flags.ray_resources]
        return [str(_SCRIPTS / "search_cluster.py"), *common, *engine, "--round", str(stage.round), *ray]
    if (stage.who == "first" or (stage.name == "search" and flags.ray_hosts)) and host.index > 0:
        return None
    run = [str(_SCRIPTS / "run_stage.py"), *common, "--stage", stage.name, "--round", str(stage.round)]
    if stage.who == "each":
        return [*run, *engine, "--shard", f"{host.index}/{host.of}"]
    if stage.who == "first" or host.of == 1:
        return [*run, *(trainer if stage.who == "together" else engine)]
    meeting = ["--coordinator", _coordinator(flags, number), "--processes", str(host.of), "--process", str(host.index)]
    return [*run, *trainer, "--distributed", *meeting]


def _coordinator(flags: DriveFlags, number: int) -> str:
    """Another port for each stage, so that what is left of one cannot be taken for the next."""
    name, _, port = (flags.coordinator or "").rpartition(":")
    if not name or not port.isdigit():
        raise InputError("several hosts need --coordinator HOST:PORT to train")
    return f"{name}:{int(port) + number}"


class Driver:
    """Runs stages until there are none left."""

    def __init__(self, flags: DriveFlags):
        self._flags, self._config, self._run = flags, checked_config(flags), run_dir(flags)
        self._host, self._alone = read_share(flags.host), read_variables(flags.alone)
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = False
        if self._host.of > 1:
            _coordinator(flags, 0)
        self._started = time.time()
        self._stopped.unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, self._end)

    def to_the_end(self) -> int:
        """The exit code: 0 only if the run is finished, so that whoever starts hosts again knows when to stop."""
        order, failures, done = stages_of(self._config), 0, None
        while (stage := next_stage(self._config, self._run)) is not None:
            if self._ended:
                return EXIT_TERMINATED
            arguments = command(self._flags, stage, self._host, order.index(stage))
            if arguments is None or done == stage:  # others do it, or this host's part is done
                if (other := self._who_gave_up()) is not None:
                    say(f"host {other['host']} has given up: {other['why']}")
                    return other["code"]
                time.sleep(self._flags.poll_seconds)
                continue
            say(f"=== {stage}: host {self._host}")
            code = self._process(arguments, {} if stage.who == "together" else self._alone)
            if code == 0:
                failures, done = 0, stage if stage.who == "each" else None
                continue
            if self._ended:
                return EXIT_TERMINATED
            failures += code != EXIT_TERMINATED  # its machine may be about to go, and that is no failure
            if code == EXIT_BAD_INPUT or failures == self._flags.attempts:
                return self._give_up(f"{stage} ended with exit code {code}", code)
            say(f"{stage} ended with exit code {code} on host {self._host}; it is started again")
            time.sleep(self._flags.rest_seconds)
        return 0

    def _process(self, arguments: list[str], variables: dict[str, str]) -> int:
        self._child = subprocess.Popen([sys.executable, *arguments], env=os.environ | variables)
        if self._ended:  # while it was being started
            self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait()
        finally:
            self._child = None

    def _end(self, number: int, frame: object) -> None:
        self._ended = True
        if self._child is not None:
            self._child.send_signal(number)

    @property
    def _stopped(self) -> pathlib.Path:
        return self._run.root / "stopped" / f"{self._host}.json"

    def _give_up(self, why: str, code: int) -> int:
        """The others would wait for this host for ever."""
        say(f"host {self._host} gives up: {why}")
        write_json(self._stopped, {"host": str(self._host), "why": why, "code": code})
        return code

    def _who_gave_up(self) -> dict[str, Any] | None:
        files = (self._run.root / "stopped").glob("*.json")
        return next((read_json(file) for file in files if file.stat().st_mtime >= self._started), None)


def go() -> int:
    return Driver(tyro.cli(DriveFlags, description=__doc__)).to_the_end()


if __name__ == "__main__":
    run_main(go)
