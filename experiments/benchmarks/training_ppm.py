"""PPM training on sets of preference pairs: every text's own part once, against every pair's two whole texts.

* `ours`: packed groups, each trunk once, branches apart by the mask (`datasets.pair_packing`);
* `longest`: two rows for every pair, padded to the longest text of the batch;
* `released`: the same padded to 2048 tokens, as the authors' code does (`train/train_RM.py`).

All three are our decoder, optimizer and loss. For all three the number of rows (pairs) at once is the fastest of those
tried. With rows of 2048 a pair costs the same whatever its texts are, so `released` trains on the first sets only.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from training_data import SetSize, make_groups
from training_ours import Done, Rows, Steps, padded

from rstar_jax.datasets.pair_packing import Group, pack_pairs
from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.remat import Remat
from rstar_jax.models.sharding import RULES
from rstar_jax.training.loss import Batch, Sums
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.ppm import PAPER_LOSS, PpmLoss, ppm_loss, ranking_loss

SAME = 1e-5  # losses of the same pairs


def pairwise_loss(
    config: ModelConfig, params: Params, batch: Batch, rule: PpmLoss = PAPER_LOSS, remat: Remat = "none"
) -> tuple[jax.Array, Sums]:
    """`ppm_loss` over rows [2P, L]: a pair's better text, then its worse one, each by itself."""
    hidden = decoder.hidden_states(config, params, batch["tokens"], PackedRows.of(batch), remat)
    scores = decoder.values(params, hidden)
    pairs, length = batch["better"].shape[0], scores.shape[1]
    side_by_side = jax.lax.reshape(scores, (pairs, 2 * length), out_sharding=P(RULES.batch, None))
    return ranking_loss(side_by_side, batch, rule)


def pairwise_rows(groups: Sequence[Group], length: int) -> Rows:
    """Every pair of the groups: arrays [2P, length] of tokens, and [P, 1] of where both texts end, side by side."""
    pairs = [(group.texts[i], group.texts[j], weight) for group in groups for i, j, weight in group.pairs]
    tokens = np.zeros((2 * len(pairs), length), np.int32)
    texts = [text for better, worse, _ in pairs for text in (better, worse)]
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = text
    ends = np.array([len(text) - 1 for text in texts], np.int32).reshape(-1, 2)
    positions = np.broadcast_to(np.arange(length, dtype=np.int32), tokens.shape)
    return {
        "tokens": tokens,
        "positions": positions,
        "segments": (positions <= ends.reshape(-1, 1)).astype(np.int32),
        "better": ends[:, :1],
        "worse": length + ends[:, 1:],
        "pair_weights": np.array([[weight] for *_, weight in pairs], np.float32),
    }


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is trained on what.

    Attributes:
      sets: of preference pairs in a step; `released` gets the first `released_sets` of them.
      lengths: of packed rows, to try.
      at_once: rows (ours) or pairs of one part of a step, to try.
    """

    model: ModelConfig
    sets: int = 5
    released_sets: int = 1
    lengths: tuple[int, ...] = (1024, 1600)
    at_once: tuple[int, ...] = (1, 2)
    released_length: int = 2048
    config: TrainConfig = TrainConfig(learning_rate=1e-4, schedule="constant", remat="none")

    def layouts(self, groups: Sequence[Group]) -> dict[str, list[Layout]]:
        """What each contender may try."""
        longest = max(len(text) for group in groups for text in group.texts)
        lengths = {"ours": self.lengths, "longest": (longest,), "released": (self.released_length,)}
        return {
            name: [Layout(name, at_once, length) for length in some for at_once in self.at_once]
            for name, some in lengths.items()
        }


@dataclasses.dataclass(frozen=True)
class Layout:
    """A way to lay groups out: the rows of a step, and its loss.

    at_once: rows (ours) or pairs in one part of a step.
    """

    name: str
    at_once: int
    length: int

    @property
    def is_ours(self) -> bool:
        return self.name == "ours"

    def rows(self, groups: Sequence[Group]) -> Rows:
        if not self.is_ours:
            return pairwise_rows(groups, self.length)
        packed = pack_pairs(groups, self.length)
        return padded(packed.arrays, packed.n_rows + -packed.n_rows % self.at_once)

    def microbatches(self, rows: Rows) -> int:
        return len(rows["better"]) // self.at_once


class Contender:
    """A layout of our own training on some groups: the same step, the same optimizer."""

    def __init__(self, make: Callable[[Any], Steps], layout: Layout, groups: Sequence[Group]):
        self.layout, self.rows = layout, layout.rows(groups)
        self.pairs = sum(len(group.pairs) for group in groups)
        self.tokens = self.rows["tokens"].size / self.pairs
        self._steps = make(ppm_loss if layout.is_ours else pairwise_loss)
        self._steps.begin()

    def train(self) -> Done:
        """A step."""
        return self._steps.train([self.rows], self.layout.microbatches(self.rows))


def fastest(
    make: Callable[[Any], Steps], layouts: Sequence[Layout], groups: Sequence[Group]
) -> tuple[Contender, float]:
    """The layout with the shortest second step (the first compiles), begun again; and the loss of the first step."""
    times, losses = {}, []
    for layout in layouts:
        contender = Contender(make, layout, groups)
        losses += contender.train().losses
        times[layout] = contender.train().seconds
    assert max(losses) - min(losses) <= SAME, f"{layouts[0].name}: {losses}"
    best = min(times, key=lambda layout: times[layout])
    tried = ", ".join(f"{layout.at_once} of {layout.length} {seconds:.2f} s" for layout, seconds in times.items())
    print(f"{best.name}: {tried}", flush=True)
    contender = Contender(make, best, groups)
    contender.train()
    return contender, losses[0]


def compare(workload: Workload, params: Params, sizes: Sequence[SetSize], repeats: int, mesh: Mesh) -> dict[str, float]:
    """The same losses in all layouts, then a step of each in turns."""
    model, config = workload.model, workload.config
    rng = np.random.default_rng(0)
    groups = make_groups(sizes, workload.sets, model.vocab_size, rng)
    few = groups[: workload.released_sets]

    def make(loss: Any) -> Steps:
        return Steps(model, "value", functools.partial(loss, model, remat=config.remat), params, config, mesh)

    contenders, losses = {}, {}
    for name, layouts in workload.layouts(groups).items():
        contenders[name], losses[name] = fastest(make, layouts, few if name == "released" else groups)
    ours_of_few = Contender(make, contenders["ours"].layout, few).train().losses[0]
    apart = max(abs(losses["ours"] - losses["longest"]), abs(ours_of_few - losses["released"]))
    assert apart <= SAME, f"losses of the same pairs differ by {apart}: {losses}, {ours_of_few}"
    done: dict[str, list[Done]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            done[name].append(contender.train())
    return {"loss_apart": apart, **speeds(contenders, done)}


def speeds(contenders: dict[str, Contender], done: dict[str, list[Done]]) -> dict[str, float]:
    """Medians, extremes, and ratios repeat by repeat; printed as a table."""
    figures = {}
    rates = {name: [contenders[name].pairs / one.seconds for one in found] for name, found in done.items()}
    print(f"\n{'PPM':14}{'pairs/s':>10}{'tokens/pair':>13}{'ours by it':>12}{'least':>8}{'greatest':>10}")
    for name, all_rates in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(rates["ours"], all_rates, strict=True)]
        middle, ratio = statistics.median(all_rates), statistics.median(ratios)
        figures |= {f"{name}_pairs_per_s": middle, f"{name}_tokens_per_pair": contenders[name].tokens}
        line = f"{name:14}{middle:10.2f}{contenders[name].tokens:13.0f}"
        if name != "ours":
            figures |= {f"ours_by_{name}": ratio}
            figures |= {f"ours_by_{name}_min": min(ratios), f"ours_by_{name}_max": max(ratios)}
            line += f"{ratio:12.2f}{min(ratios):8.2f}{max(ratios):10.2f}"
        print(line, flush=True)
    return figures
