"""A job compiled for a slice, as a value that JSON can hold, and as text.

    training_cell    a training step: memory, FLOPs, collectives, estimate
    engine_cells     the programs of an engine: memory, whether pools are written in place, estimate
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from rstar_jax.ahead_of_time.chips import Slice
from rstar_jax.ahead_of_time.collectives import Exchange, classify, mesh_axes
from rstar_jax.ahead_of_time.compiling import Compiled, DoesNotFit, compile_lowered, too_big
from rstar_jax.ahead_of_time.engine import lower_programs, pool_on_chip, written_in_place
from rstar_jax.ahead_of_time.hlo import collectives
from rstar_jax.ahead_of_time.hlo_flops import matrix_flops
from rstar_jax.ahead_of_time.roofline import (
    Mesh3,
    Work,
    communication,
    decode_work,
    estimate,
    score_work,
    step_work,
)
from rstar_jax.ahead_of_time.topology import topology
from rstar_jax.ahead_of_time.training import Step, lower_step
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.sharding import make_mesh

Cell = dict[str, Any]
_STOP_IDS = (151643, 151645)  # Qwen's <|endoftext|> and <|im_end|>


def training_cell(model: ModelConfig, step: Step, mesh: Mesh3, place: Slice) -> Cell:
    """A training step. Raises InputError without libtpu."""
    lowered = lower_step(model, step, make_mesh(*dataclasses.astuple(mesh), devices=topology(place)))
    setting = {"step": dataclasses.asdict(step), "tokens": step.tokens}
    cell = _cell(step.job, place, mesh) | setting
    try:
        compiled = compile_lowered(lowered)
    except DoesNotFit as error:
        return cell | _too_big(error)
    found = collectives(compiled.hlo)
    exchanges = classify(found, model, step, mesh)
    rows = step.rows // mesh.shards // step.run.microbatches
    by_hand = step_work(model, step.head, mesh, rows, step.run, place)
    work = dataclasses.replace(by_hand, communication=communication(found, place))
    return cell | _fitting(compiled, work, place) | {"collectives": _exchanges(exchanges)}


def engine_cells(
    job: str, model: ModelConfig, sizes: EngineConfig, mesh: Mesh3, place: Slice
) -> Iterator[Cell]:
    """The programs of an engine for policies (job "decode") or PPMs ("score"), one after the other."""
    devices = make_mesh(*dataclasses.astuple(mesh), devices=topology(place))
    head: Head = "lm" if job == "decode" else "value"
    pool = pool_on_chip(model, sizes, devices)
    for name, lowered in lower_programs(model, head, sizes, devices, _STOP_IDS).items():
        cell = _cell(name, place, mesh) | {"pool": pool.bytes}
        try:
            compiled = compile_lowered(lowered)
        except DoesNotFit as error:
            yield cell | _too_big(error)
            continue
        found = collectives(compiled.hlo)
        work = _engine_work(name, model, sizes, mesh, communication(found, place))
        exchanges = [Exchange("engine", one, mesh_axes(one.group, mesh), one.source) for one in found]
        yield cell | _fitting(compiled, work, place) | {
            "in_place": written_in_place(compiled, pool),
            "collectives": _exchanges(exchanges),
        }


def _engine_work(name: str, model: ModelConfig, sizes: EngineConfig, mesh: Mesh3, seconds: float) -> Work | None:
    """With contexts that are half full. Copying pages is no work of a model."""
    program, _, rows = name.partition(" ")
    context = sizes.max_length // 2
    if program == "decode":
        return decode_work(model, mesh, int(rows), context, sizes.decode_steps, seconds)
    return score_work(model, mesh, int(rows), context, sizes.item, seconds) if program == "extend" else None


def _cell(program: str, place: Slice, mesh: Mesh3) -> Cell:
    return {
        "program": program,
        "topology": place.name,
        "chips": place.n_chips,
        "hbm": place.chip.hbm_bytes,
        "mesh": dataclasses.asdict(mesh),
    }


def _too_big(error: DoesNotFit) -> Cell:
    return {"fits": False, "needed": error.needed, "available": error.available, "sentence": str(error)}


def _fitting(compiled: Compiled, work: Work | None, place: Slice) -> Cell:
    memory = {name: getattr(compiled, name) for name in ("arguments", "temporaries", "outputs", "aliased", "bytes")}
    if compiled.bytes > place.chip.hbm_bytes:  # the compiler refuses only what its temporaries alone do not allow
        return _too_big(too_big(compiled.bytes, place.chip.hbm_bytes))
    cell = {"fits": True, "seconds": compiled.seconds, "memory": memory, "flops": {"compiler": compiled.flops}}
    if work is None:
        return cell
    found = estimate(work, place)
    times = dataclasses.asdict(found) | {"best": found.best, "worst": found.worst}
    flops = {"useful": work.useful, "done": work.done, "compiled": matrix_flops(compiled.hlo)}
    return cell | {"flops": cell["flops"] | flops, "estimate": times}


def _exchanges(found: Iterable[Exchange]) -> list[Cell]:
    """Those that differ only in the line that they come from are one, if it is known what they are for."""
    rows: dict[tuple, Cell] = {}
    for one in found:
        it = one.collective
        key = (one.purpose, it.kind, one.axes, it.elements, it.bytes, one.what or it.source)
        names = ("purpose", "kind", "axes", "elements", "bytes", "what")
        row = rows.setdefault(key, dict(zip(names, key, strict=True)) | {"axes": list(one.axes), "times": 0})
        row["times"] += it.times
    return list(rows.values())
