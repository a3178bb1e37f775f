"""Chips that are not here, to compile for: libtpu does so on any Linux host with x86-64."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import jax
from jax.experimental import topologies

from rstar_jax.ahead_of_time.chips import Slice
from rstar_jax.errors import InputError

# libtpu asks around for the machine it runs on, writes warnings and log files about the answers, and lets one process
# in at a time. None of it matters to a compiler.
_SURROUNDINGS = {
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_LOG_DIR": "disabled",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",
}


def topology(place: Slice) -> list[Any]:
    """The chips of a slice as devices to compile for.

    The variables `JAX_PLATFORMS=cpu` and `TPU_SKIP_MDS_QUERY=1` have to be set before JAX is imported.

    Raises:
      InputError: there is no libtpu, or it knows no such slice.
    """
    if importlib.util.find_spec("libtpu") is None:
        raise InputError("compiling for TPUs needs libtpu (`pip install -e .[topology]`; Linux on x86-64)")
    for variable, value in _SURROUNDINGS.items():
        os.environ.setdefault(variable, value)
    try:
        found = topologies.get_topology_desc(platform="tpu", topology_name=place.name, wrap=place.wrap)
    except jax.errors.JaxRuntimeError as error:
        raise InputError(f"libtpu does not know the topology {place.name!r}: {error}") from error
    return list(found.devices)
