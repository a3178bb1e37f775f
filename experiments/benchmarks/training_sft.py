"""SFT of the same weights on the same solutions: our step, Tunix' trainer, the Trainer of `transformers`."""

from __future__ import annotations

import dataclasses
import functools
import statistics
import tempfile
from collections.abc import Sequence

import numpy as np
from training_data import SolutionSize, make_solutions
from training_ours import Contender, Done, Ours, Solutions, Steps, Way
from training_peers import find_peers, missing_packages

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.sft import sft_loss

SAME_FIRST, SAME_LATER = 1e-4, 1e-3  # losses of the first batch, and after a step


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is trained on what.

    Attributes:
      batch: solutions of a step.
      steps: of a repeat.
      ways: of each contender, to try (`training_ours.Way`).
    """

    model: ModelConfig
    ways: dict[str, Sequence[Way]]
    batch: int = 32
    steps: int = 1
    config: TrainConfig = TrainConfig(learning_rate=1e-4, schedule="constant", remat="none")

    def batches(self, sizes: Sequence[SolutionSize], count: int) -> list[Solutions]:
        solutions = make_solutions(sizes, count * self.batch, self.model.vocab_size, np.random.default_rng(0))
        return [solutions[at : at + self.batch] for at in range(0, len(solutions), self.batch)]


def targets(batches: Sequence[Solutions]) -> int:
    """Tokens that the loss is about: the only ones that count as work."""
    return sum(sum(solution.targets) for batch in batches for solution in batch)


def tried(contender: Contender, batches: Sequence[Solutions]) -> tuple[dict[Way, float], list[list[float]]]:
    """Targets a second of each way, by the second batch; the first compiles. And the losses of both, by way."""
    rates, losses = {}, []
    for way in contender.ways:
        contender.begin(way)
        first = contender.train(batches[:1])
        second = contender.train(batches[1:2])
        rates[way] = targets(batches[1:2]) / second.seconds
        losses.append([*first.losses, *second.losses])
    print(f"{contender.name}: " + ", ".join(f"{way} {rate:.0f}/s" for way, rate in rates.items()), flush=True)
    return rates, losses


def check_same(losses: dict[str, list[list[float]]]) -> dict[str, float]:
    """By how much losses differ between all ways of all contenders, on the first batch and on the next.

    Raises AssertionError: by more than rounding explains.
    """
    first, second = (np.array([pair[i] for pairs in losses.values() for pair in pairs]) for i in (0, 1))
    apart = {"loss_first": first[0], "loss_first_apart": np.ptp(first), "loss_second_apart": np.ptp(second)}
    assert apart["loss_first_apart"] <= SAME_FIRST, f"the first batch: {losses}"
    assert apart["loss_second_apart"] <= SAME_LATER, f"after a step: {losses}"
    return {name: float(value) for name, value in apart.items()}


def in_turns(contenders: Sequence[Contender], batches: list[Solutions], steps: int) -> dict[str, list[Done]]:
    """Repeats of so many steps on the same batches: ours, then each peer, and again."""
    done: dict[str, list[Done]] = {contender.name: [] for contender in contenders}
    for at in range(0, len(batches), steps):
        for contender in contenders:
            done[contender.name].append(contender.train(batches[at : at + steps]))
    return done


def speeds(done: dict[str, list[Done]], batches: list[Solutions], steps: int) -> dict[str, float]:
    """Medians, extremes, and ratios repeat by repeat; printed as a table."""
    repeats = range(0, len(batches), steps)
    work = [targets(batches[at : at + steps]) for at in repeats]
    rates = {name: [n / one.seconds for n, one in zip(work, found, strict=True)] for name, found in done.items()}
    figures: dict[str, float] = {"targets_per_step": sum(work) / len(batches)}
    print(f"\n{'SFT':14}{'targets/s':>12}{'least':>9}{'greatest':>10}{'ours/peer':>11}{'least':>8}{'greatest':>10}")
    for name, all_rates in rates.items():
        middle = statistics.median(all_rates)
        figures |= {f"{name}_tokens_per_s": middle}
        line = f"{name:14}{middle:12.1f}{min(all_rates):9.1f}{max(all_rates):10.1f}"
        if name != "ours":
            ratios = [mine / theirs for mine, theirs in zip(rates["ours"], all_rates, strict=True)]
            found = statistics.median(ratios), min(ratios), max(ratios)
            figures |= dict(zip((f"ours_by_{name}", f"ours_by_{name}_min", f"ours_by_{name}_max"), found, strict=True))
            line += f"{found[0]:11.2f}{found[1]:8.2f}{found[2]:10.2f}"
        print(line, flush=True)
    return figures


def compare(workload: Workload, params: Params, sizes: Sequence[SolutionSize], repeats: int) -> dict[str, float]:
    """All contenders: the same losses, the best way of each, then `repeats` in turns with that."""
    model, config, mesh = workload.model, workload.config, make_mesh()
    batches = workload.batches(sizes, 2 + repeats * workload.steps)
    loss = functools.partial(sft_loss, model, chunk=config.loss_chunk, remat=config.remat)
    steps = Steps(model, "lm", loss, params, config, mesh)
    if missing_packages():
        print(f"Left out, for want of {', '.join(missing_packages())}: `pip install -e .[peers]` installs the peers.")
    with tempfile.TemporaryDirectory() as folder:
        peers = find_peers(model, params, config, workload.ways, batches, folder)
        contenders = [Ours(steps, workload.ways["ours"], batches), *peers]
        best, losses = {}, {}
        for contender in contenders:
            rates, losses[contender.name] = tried(contender, batches)
            best[contender.name] = max(rates, key=lambda way: rates[way])
        figures = check_same(losses)
        for contender in contenders:
            contender.begin(best[contender.name])
            contender.train(batches[:2])
        done = in_turns(contenders, batches[2:], workload.steps)
    print("\nbest: " + "; ".join(f"{name} {way}" for name, way in best.items()))
    last = {name: found[-1].losses[-1] for name, found in done.items()}
    figures["loss_last_apart"] = max(last.values()) - min(last.values())
    return figures | speeds(done, batches[2:], workload.steps)
