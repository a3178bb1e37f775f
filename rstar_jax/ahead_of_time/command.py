"""The command `launch/compile_for_topology.py`: flags to settings, settings to cells, cells to text and JSON."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import typing
from collections.abc import Iterator
from typing import Literal

from rstar_jax.ahead_of_time.chips import Slice, parse_slice
from rstar_jax.ahead_of_time.render import render, render_search, render_table
from rstar_jax.ahead_of_time.report import Cell, engine_cells, training_cell
from rstar_jax.ahead_of_time.roofline import Mesh3
from rstar_jax.ahead_of_time.search import search
from rstar_jax.ahead_of_time.training import Step
from rstar_jax.errors import InputError
from rstar_jax.files import read_json, write_json
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.published import PUBLISHED, published
from rstar_jax.models.store import VOCAB_MULTIPLE
from rstar_jax.training.optimizer import TrainConfig

_REMAT = typing.get_type_hints(TrainConfig)["remat"]
TABLE_MODELS = ("qwen2.5-math-1.5b", "qwen2.5-math-7b", "qwen2.5-math-72b")
TABLE_SLICES = ("v5e-16", "v5e-256", "v5p-128", "v6e-256")


@dataclasses.dataclass(frozen=True)
class Flags:
    """What to compile, for which chips.

    topology: as libtpu calls it (v5p:4x4x4), or as it is ordered (v5p-128).
    job: a training step (sft, ppm), or the programs of a policy's engine (decode) or a PPM's (score).
    data, fsdp, tensor: the mesh. Without fsdp, all chips that the others leave.
    batch: rows for each shard of data and fsdp, in each of the microbatches.
    dtype: of weights and first moments at rest (bfloat16 is rounded stochastically); computation is in bfloat16.
    search: propose mesh and batch of a training step, and compile the first `compile` of the ranking.
    rows, tokens, pages, item, page_size: of the engine, for each shard of data and fsdp: a decoding dispatch, a scoring
        dispatch, the pool, and consecutive tokens that read their pages together.
    layers: fewer than the model has, to be quick.
    json: write what was found to this file.
    table: compile the cells of the README's table that this folder does not hold yet, and print it.
    """

    topology: str = "v5p:4x4x4"
    model: Literal[tuple(PUBLISHED)] = "qwen2.5-math-7b"  # pyright: ignore[reportInvalidTypeForm]
    job: Literal["sft", "ppm", "decode", "score"] = "sft"
    data: int = 1
    fsdp: int | None = None
    tensor: int = 1
    batch: int = 1
    microbatches: int = 1
    length: int = 4096
    remat: _REMAT = TrainConfig.remat  # pyright: ignore[reportInvalidTypeForm]
    loss_chunk: int = 512
    dtype: Literal["float32", "bfloat16"] = "float32"
    pairs: int = 64
    search: bool = False
    compile: int = 3
    rows: int = 64
    tokens: int = 512
    pages: int = 1024
    item: int = 16
    page_size: int = 64
    layers: int | None = None
    json: pathlib.Path | None = None
    table: pathlib.Path | None = None


def main(flags: Flags) -> int:
    if flags.table is not None:
        print(render_table(list(table(flags, flags.table))))
        return 0
    cells = []
    for cell in compiled_cells(flags):
        print(render(cell), flush=True)
        cells.append(cell)
    if flags.search:
        print(render_search(cells))
    if flags.json is not None:
        write_json(flags.json, cells)
    return 0 if all(cell["fits"] and cell.get("in_place", True) for cell in cells) else 1


def table(flags: Flags, folder: pathlib.Path) -> Iterator[list[Cell]]:
    """For every model and slice of the README's table what a search has found, from `folder` where it is there."""
    for model, ordered in itertools.product(TABLE_MODELS, TABLE_SLICES):
        path = folder / f"{flags.job}-{model}-{ordered}.json"
        if not path.exists():
            one = dataclasses.replace(flags, model=model, topology=ordered, search=True)
            cells = list(compiled_cells(one, until_one_fits=True))
            print(render(cells[-1]), flush=True)
            write_json(path, cells)
        yield read_json(path)


def compiled_cells(flags: Flags, until_one_fits: bool = False) -> Iterator[Cell]:
    """What the flags ask for, compiled one after the other."""
    place, model = parse_slice(flags.topology), model_of(flags)
    named = {"model": flags.model, "layers": model.n_layers, "dtype": model.param_dtype}
    for cell in _cells(flags, model, place, until_one_fits):
        yield named | cell


def _cells(flags: Flags, model: ModelConfig, place: Slice, until_one_fits: bool) -> Iterator[Cell]:
    if flags.job in ("decode", "score"):
        if flags.search:
            raise InputError("--search is for training steps; an engine's mesh follows from the memory it prints")
        return engine_cells(flags.job, model, engine_of(flags), mesh_of(flags, model, place), place)
    if flags.search:
        return search(model, step_of(flags, 1), place, flags.compile, until_one_fits)
    mesh = mesh_of(flags, model, place)
    return iter([training_cell(model, step_of(flags, mesh.shards), mesh, place)])


def model_of(flags: Flags) -> ModelConfig:
    trains = flags.job in ("sft", "ppm")
    model = dataclasses.replace(
        published(flags.model),
        vocab_multiple=VOCAB_MULTIPLE,
        param_dtype=flags.dtype if trains else "bfloat16",
        compute_dtype="bfloat16",
        max_length=flags.length,
    )
    return model if flags.layers is None else dataclasses.replace(model, n_layers=flags.layers)


def mesh_of(flags: Flags, model: ModelConfig, place: Slice) -> Mesh3:
    """Raises InputError for a mesh that the chips or the model cannot be split over."""
    rest = place.n_chips // (flags.data * flags.tensor)
    mesh = Mesh3(flags.data, rest if flags.fsdp is None else flags.fsdp, flags.tensor)
    if not 1 <= mesh.n_chips <= place.n_chips:
        raise InputError(f"{place.name} has {place.n_chips} chips, not {flags.data} x {mesh.fsdp} x {flags.tensor}")
    if model.n_kv_heads % mesh.tensor or model.d_ff % mesh.tensor:
        raise InputError(f"{model.n_kv_heads} kv heads and d_ff={model.d_ff} do not split over tensor={mesh.tensor}")
    if model.d_model % mesh.fsdp:
        raise InputError(f"d_model={model.d_model} does not split over fsdp={mesh.fsdp}")
    return mesh


def step_of(flags: Flags, shards: int) -> Step:
    assert flags.job in ("sft", "ppm")
    try:
        run = TrainConfig(
            row_length=flags.length,
            microbatches=flags.microbatches,
            remat=flags.remat,
            loss_chunk=flags.loss_chunk,
            moment_dtype=flags.dtype,
            rounding="stochastic" if flags.dtype == "bfloat16" else "nearest",
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    return Step(flags.job, run, flags.batch * shards * flags.microbatches, flags.pairs)


def engine_of(flags: Flags) -> EngineConfig:
    try:
        return EngineConfig(
            max_length=flags.length,
            page_size=flags.page_size,
            block=flags.page_size,
            pages=flags.pages,
            tokens=(flags.tokens,),
            rows=(flags.rows,),
            item=flags.item,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
