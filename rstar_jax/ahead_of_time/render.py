"""Cells of `report` and of a search as text."""

from __future__ import annotations

from collections.abc import Sequence

from rstar_jax.ahead_of_time.report import Cell

_GIB = 2**30


def render(cell: Cell) -> str:
    """A paragraph for one program."""
    mesh = " ".join(f"{axis}={size}" for axis, size in cell["mesh"].items())
    model = f"{cell['model']} ({cell['layers']} layers, {cell['dtype']} at rest)"
    lines = [f"{cell['program']}, {model} on {cell['topology']} ({cell['chips']} chips), {mesh}{_batch(cell)}"]
    if not cell["fits"]:
        return "\n".join([*lines, f"  does not fit: {cell['sentence']}"])
    lines += [_memory(cell)]
    if "in_place" in cell:
        lines += ["  pool         written in place" if cell["in_place"] else "  pool         COPIED"]
    if "estimate" in cell:
        lines += [_flops(cell), *_collectives(cell["collectives"], "step" in cell), _estimate(cell)]
    return "\n".join(lines)


def gib(size: float) -> str:
    return f"{size / _GIB:,.2f} GiB"


def _batch(cell: Cell) -> str:
    if "step" not in cell:
        return f"; pool {gib(cell['pool'])} a chip"
    run = cell["step"]["run"]
    parts = f" in {run['microbatches']} parts" if run["microbatches"] > 1 else ""
    return f"; {cell['step']['rows']} rows of {run['row_length']} tokens{parts}"


def _memory(cell: Cell) -> str:
    memory = cell["memory"]
    parts = ", ".join(f"{name} {gib(memory[name])}" for name in ("arguments", "temporaries", "outputs", "aliased"))
    return (
        f"  memory       {parts}: {gib(memory['bytes'])} of {gib(cell['hbm'])} a chip, fits"
        f" (compiled in {cell['seconds']:.0f} s)"
    )


def _flops(cell: Cell) -> str:
    flops = cell["flops"]
    return (
        f"  FLOPs        a chip needs {flops['useful']:.3g}, and {flops['done']:.3g} with what is computed twice (by"
        f" hand); {flops['compiled']:.3g} in the program's matrix products and kernels, loops as often as they turn;"
        f" {flops['compiler']:.3g} by XLA's cost analysis, which runs each loop once"
    )


def _collectives(found: Sequence[Cell], is_step: bool) -> list[str]:
    lines = ["  collectives  purpose    kind                over           times   MiB each   GiB in all  of"]
    order = ("weights", "gradients", "tensor", "scalars", "engine", "doubled", "surplus")
    for one in sorted(found, key=lambda one: (order.index(one["purpose"]), -one["times"] * one["bytes"])):
        axes, total = "+".join(one["axes"]) or "-", one["times"] * one["bytes"] / _GIB
        sizes = f"{one['times']:5} {one['bytes'] / 2**20:10,.2f} {total:12,.3f}"
        lines.append(f"               {one['purpose']:10} {one['kind']:19} {axes:14} {sizes}  {one['what'][-90:]}")
    if is_step:
        doubled = _sum_of(found, "doubled")
        lines.append(f"  surplus      {_sum_of(found, 'surplus')}; by all-reduce in place of another {doubled}")
    return lines


def _sum_of(found: Sequence[Cell], purpose: str) -> str:
    some = [one for one in found if one["purpose"] == purpose]
    times, size = sum(one["times"] for one in some), sum(one["times"] * one["bytes"] for one in some)
    return f"{times} collectives, {gib(size)}" if some else "none"


def _estimate(cell: Cell) -> str:
    found = cell["estimate"]
    parts = ", ".join(f"{name} {1e3 * found[name]:.3g} ms" for name in ("compute", "memory", "communication"))
    return (
        f"  estimate     {parts}: {1e3 * found['best']:.3g} ms if all run at once, {1e3 * found['worst']:.3g} ms one"
        f" after the other; MFU {_mfu(found)}; nothing has run"
    )


def render_search(cells: Sequence[Cell]) -> str:
    """What a search has compiled, and what it proposes."""
    lines = [
        f"{cells[0]['candidates']} meshes and batches, {cells[0]['fitting']} of which should fit; compiled:",
        "data fsdp tensor  rows  tokens a step   by hand       compiled    a step at best, worst    MFU (estimate)",
    ]
    lines += [_tried(cell) for cell in cells]
    fitting = [cell for cell in cells if cell["fits"]]
    if not fitting:
        return "\n".join([*lines, "None fits."])
    best = min(fitting, key=lambda cell: cell["estimate"]["worst"] / cell["tokens"])
    mesh = " ".join(f"--{axis} {size}" for axis, size in best["mesh"].items())
    run = best["step"]["run"]
    rows = best["step"]["rows"] // (best["mesh"]["data"] * best["mesh"]["fsdp"] * run["microbatches"])
    return "\n".join([*lines, f"Proposed: {mesh} --batch {rows}"])


def _tried(cell: Cell) -> str:
    mesh = "{data:4} {fsdp:4} {tensor:6}".format(**cell["mesh"])
    start = f"{mesh} {cell['step']['rows']:5} {cell['tokens']:14,}   {gib(cell['by_hand']['bytes']):>10} "
    if not cell["fits"]:
        return f"{start}   does not fit: {cell['sentence']}"
    found = cell["estimate"]
    times = f"{1e3 * found['best']:.3g}, {1e3 * found['worst']:.3g} ms"
    return f"{start} {gib(cell['memory']['bytes']):>13}   {times:>22}    {_mfu(found)}"


def _mfu(found: Cell) -> str:
    return f"{found['mfu_worst']:.0%} to {found['mfu_best']:.0%}"


def render_table(searches: Sequence[Sequence[Cell]]) -> str:
    """A row of Markdown for the last try of each search, which is the first that fits or one that does not."""
    lines = [
        "| model | chips | data x fsdp x tensor | tokens a step | memory a chip | step (estimate) | MFU (estimate) |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(cells[-1]) for cells in searches)])


def _row(cell: Cell) -> str:
    mesh = " x ".join(str(size) for size in cell["mesh"].values())
    start = f"| {cell['model']} | {cell['topology']} | {mesh} | {cell['tokens']:,} |"
    if not cell["fits"]:
        return f"{start} does not fit: {cell['sentence']} | | |"
    found = cell["estimate"]
    times = f"{found['best']:.2f} to {found['worst']:.2f} s"
    return f"{start} {gib(cell['memory']['bytes'])} of {gib(cell['hbm'])} | {times} | {_mfu(found)} |"
