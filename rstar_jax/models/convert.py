"""Models from one layout to another: Hugging Face folders, finished models of a run (Orbax), PPMs as released.

    python -m rstar_jax.models.convert SOURCE TARGET --to {hf,orbax} [--dtype bfloat16] [--dry-run]

SOURCE is a folder of either kind or a Hub id. A PPM goes to Hugging Face as the authors' code reads it: the decoder's
folder and `value_head.bin` beside it (and the same head as safetensors). `--dry-run` reads names and shapes only, and
prints which tensor becomes what.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import shutil
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.files import atomic_directory
from rstar_jax.models.pretrained.config import to_hugging_face
from rstar_jax.models.pretrained.files import TensorFiles
from rstar_jax.models.pretrained.load import check
from rstar_jax.models.pretrained.names import table
from rstar_jax.models.pretrained.save import SHARD_BYTES, save_weights
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import Description, describe, load_model, save_model
from rstar_jax.trajectory.tokenizer import load_tokenizer

_COMPANIONS = ("generation_config.json", "chat_template.jinja", "vocab.json", "merges.txt", "special_tokens_map.json")


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options.

    to: "hf" (safetensors, which `transformers` loads) or "orbax" (as training leaves models). dtype: of the
    target; by default the source's. torch_head: write `value_head.bin` too (needs torch). shard_bytes: of a file.
    """

    source: Annotated[str, tyro.conf.Positional]
    target: Annotated[pathlib.Path, tyro.conf.Positional]
    to: Literal["hf", "orbax"]
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    torch_head: bool = True
    shard_bytes: int = SHARD_BYTES
    dry_run: bool = False


def convert(options: Options) -> str:
    """What was done, in words. Raises InputError for a source that is none, or a target that exists."""
    found = describe(options.source, dtype=options.dtype)
    if options.dry_run:
        return mapping(found, options)
    if options.target.exists():
        raise InputError(f"{options.target} exists already; choose another folder")
    mesh = make_mesh()
    with jax.set_mesh(mesh), atomic_directory(options.target) as folder:
        config, params = load_model(options.source, mesh, dtype=options.dtype)
        has_tokenizer = (found.folder / "tokenizer.json").exists()
        _copy_companions(found, folder)
        if options.to == "orbax":
            tokenizer = load_tokenizer(found.folder) if has_tokenizer else None
            save_model(folder, config, found.head, params, tokenizer, **found.settings)
        else:
            save_weights(
                folder,
                config,
                found.head,
                params,
                settings=found.settings,
                torch_head=options.torch_head,
                shard_bytes=options.shard_bytes,
            )
    return f"{options.source} -> {options.target} ({options.to}, {config.family}, {found.head} head)"


def mapping(found: Description, options: Options) -> str:
    """A line for each tensor of the Hugging Face side with the parameters that it consists of."""
    wanted = table(found.config, found.head)
    dtype = jnp.dtype(found.config.param_dtype)
    if not found.is_run:
        check(TensorFiles(found.folder), wanted, found.config, found.head)
    to_hugging_face(found.config)
    lines, total = [], 0
    for name, parts in wanted.parts.items():
        shape = wanted.tensor_shape(name)
        total += math.prod(shape) * dtype.itemsize
        ours = " + ".join(
            ".".join(("outer" if layer is None else f"blocks[{layer}]", *weight.path))
            + f" [{', '.join(weight.axes)}]"
            for weight, layer in parts
        )
        lines.append(f"{name} {list(shape)} = {ours}")
    if found.head == "value":
        lines.append(f"value_head: v_head.summary.weight [1, {found.config.d_model}] = outer.value_weight [D]")
        lines.append("value_head: v_head.summary.bias [1] = outer.value_bias []")
    kind = "Orbax" if found.is_run else "Hugging Face"
    summary = f"{found.folder} ({kind}) -> {options.target} ({options.to}): {len(lines)} tensors, "
    return "\n".join([*lines, f"{summary}{total / 2**30:.2f} GiB as {dtype.name}; nothing was written"])


def _copy_companions(found: Description, folder: pathlib.Path) -> None:
    """The tokenizer and what else stands beside a model; unchanged where it comes from Hugging Face."""
    for name in ("tokenizer.json", "tokenizer_config.json", *_COMPANIONS):
        if (found.folder / name).exists():
            shutil.copyfile(found.folder / name, folder / name)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    print(convert(options))


if __name__ == "__main__":
    run_main(main)
