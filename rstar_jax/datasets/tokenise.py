"""From released rows to token stores: one pass over the data, a few hundred rows in memory at a time.

Pairs share a trunk with their neighbours only: rows of one prompt (and problem, where it is known) that follow each
other form a group, at most `_PAIRS_OF_GROUP` of them. A prompt that comes again later gives another group. That costs
some computation and changes no loss, since every pair carries its own weight 1/(pos_count * neg_count).
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

from rstar_jax.datasets.held_out import is_held_out, question_of
from rstar_jax.datasets.packed import PAIR_LAYOUT, SFT_LAYOUT, VALUE_LAYOUT, Segment
from rstar_jax.datasets.packing import tokenise_sft
from rstar_jax.datasets.pair_packing import encode_groups, split_group
from rstar_jax.datasets.released import pair_rows, sft_rows, value_rows
from rstar_jax.datasets.store import StoreWriter, TokenStore
from rstar_jax.datasets.value_packing import tokenise_values
from rstar_jax.errors import InputError
from rstar_jax.files import atomic_directory, read_json, remove_stale, sha256_of, write_json
from rstar_jax.progress import Track
from rstar_jax.rows import Row
from rstar_jax.trajectory.tokenizer import Tokenizer

Job = Literal["policy", "ppm", "pqm"]
T = TypeVar("T")

_ROWS_AT_ONCE = 64
_GROUPS_AT_ONCE = 32
_PAIRS_OF_GROUP = 64
_LAYOUTS = {"policy": SFT_LAYOUT, "ppm": PAIR_LAYOUT, "pqm": VALUE_LAYOUT}


@dataclasses.dataclass(frozen=True)
class TokeniseConfig:
    """How rows become segments.

    Attributes:
      job: "policy": SFT rows; "ppm": preference pairs; "pqm": solutions with a value for each step.
      row_length: tokens of a packed row; longer examples are dropped and counted.
      output_in_loss: see `packing.tokenise_sft`.
      held_out: share of the problems (0 to 1) that training does not see.
      seed: of the packing and of the choice of held-out problems.
    """

    job: Job
    row_length: int
    output_in_loss: bool = False
    held_out: float = 0.0
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Tokenised:
    """What the rows of one question came to: segments, and the number of pairs that are longer than a row."""

    question: str
    segments: list[Segment]
    dropped: int = 0


@dataclasses.dataclass(frozen=True)
class Split:
    """The two sides of a data set; `held_out` may be empty."""

    train: TokenStore
    held_out: TokenStore


def tokenise_files(
    files: Sequence[pathlib.Path], folder: pathlib.Path, tokenizer: Tokenizer, config: TokeniseConfig
) -> Split:
    """The stores in `folder`, written now unless that has been done.

    `folder` appears when it is complete; what was killed while it wrote is cleared away and begun again.

    Raises InputError: a row cannot be used, or `folder` was made from other data, by another tokenizer or with other
    settings.
    """
    claim = _claim(files, tokenizer, config)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(folder.parent)
        with atomic_directory(folder) as unfinished:
            _write(tokenised(files, tokenizer, config), unfinished, config)
            write_json(unfinished / "claim.json", claim)
    found = read_json(folder / "claim.json")
    changed = [name for name in claim if found.get(name) != claim[name]]
    if changed:
        raise InputError(f"{folder} was made otherwise (its {', '.join(changed)} differ); choose another folder")
    return Split(*(TokenStore(folder / side, _LAYOUTS[config.job]) for side in ("train", "held_out")))


def tokenised(
    files: Sequence[pathlib.Path], tokenizer: Tokenizer, config: TokeniseConfig
) -> Iterator[Tokenised]:
    """The rows of the files as segments, in order."""
    if config.job == "policy":
        return _tokenised_solutions(sft_rows(files), tokenizer, config.output_in_loss)
    if config.job == "pqm":
        return _tokenised_values(value_rows(files), tokenizer)
    return _tokenised_pairs(pair_rows(files), tokenizer, config.row_length)


def _tokenised_solutions(rows: Iterable[Row], tokenizer: Tokenizer, output_in_loss: bool) -> Iterator[Tokenised]:
    for batch in _batches(rows, _ROWS_AT_ONCE):
        for row, solution in zip(batch, tokenise_sft(batch, tokenizer, output_in_loss), strict=True):
            yield Tokenised(row["query"], [solution.segment()])


def _tokenised_pairs(rows: Iterable[Row], tokenizer: Tokenizer, row_length: int) -> Iterator[Tokenised]:
    for batch in _batches(neighbours(rows), _GROUPS_AT_ONCE):
        for members, group in zip(batch, encode_groups(batch, tokenizer), strict=True):
            segments = [part.segment() for part in split_group(group, row_length)]
            dropped = len(group.pairs) - sum(segment.n_pairs for segment in segments)
            yield Tokenised(question_of(members[0]["prompt"]), segments, dropped)


def _tokenised_values(rows: Iterable[Row], tokenizer: Tokenizer) -> Iterator[Tokenised]:
    for batch in _batches(rows, _ROWS_AT_ONCE):
        for row, solution in zip(batch, tokenise_values(batch, tokenizer), strict=True):
            yield Tokenised(row["query"], [solution.segment()])


def neighbours(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows with one prompt and problem that follow each other."""
    key: Callable[[Row], Any] = lambda row: (row.get("problem"), row["prompt"])  # noqa: E731 - typed
    for _, members in itertools.groupby(rows, key):
        yield from _batches(members, _PAIRS_OF_GROUP)


def _write(items: Iterable[Tokenised], folder: pathlib.Path, config: TokeniseConfig) -> None:
    layout = _LAYOUTS[config.job]
    with (
        StoreWriter(folder / "train", layout, config.row_length, config.seed) as train,
        StoreWriter(folder / "held_out", layout, config.row_length, config.seed) as held_out,
        Track("tokenise", "examples") as track,
    ):
        for item in items:
            side = held_out if is_held_out(item.question, config.held_out, config.seed) else train
            side.add(item.segments, item.dropped)
            track.advance(item.dropped + sum(segment.examples for segment in item.segments))


def _claim(files: Sequence[pathlib.Path], tokenizer: Tokenizer, config: TokeniseConfig) -> dict[str, Any]:
    """What the stores depend on."""
    return {
        "data": [sha256_of(file) for file in files],
        "tokenizer": hashlib.sha256(tokenizer.backend.to_str().encode()).hexdigest(),
        **dataclasses.asdict(config),
    }


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
