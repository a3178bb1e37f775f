"""Generation as tree search asks for it: our engine against `transformers` and Tunix with the same weights.

    python experiments/benchmarks/generation.py [--quick] [--json FILE]      (peers: pip install -e .[peers])

Problems grow one path each: 8 siblings of the next step, then the first of them and 5 tokens of output are appended,
and so on. Weights are random (26 M parameters, float32); stop tokens are so many that steps have about 27 tokens.

* `ours`: all problems are coroutines of one `PolicyEngine`, whose pages are empty when a repeat begins;
* the peers go in lock-step as the authors' search does: every problem's step, in batches of like length, then the
  next. Rows of a batch are the best of those tried, on one batch of each size; compilation does not count.

A peer's time grows with the number of its batches, so its tokens/s do not depend on the number of problems: its
repeats do a quarter of them (or one batch, if that is more), those in the middle of the order of length, whose mean
length is that of all. Ours and the peers take turns. Medians of the repeats, with the least and the greatest.

`bare`: the same programs with every row busy and no scheduler, decoding at a context of 400 tokens in families of 8;
`of_bare` is the time that the bare programs would need for the same tokens, as a share of the time taken. Greedy
texts must be the same everywhere; where they are not, the gap of the two tokens' logits tells a near tie from a bug.

Hardware: CPU, all cores that the process may use. Two cores: under a minute with --quick (a smaller model and
workload, to see that all runs), about 20 minutes without.
"""

from __future__ import annotations

import asyncio
import dataclasses
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from generation_ours import QUICK, STOP_IDS, Done, Watched, Workload, bare, grow_all, make_params, words
from peers import Peer, find_peers

from rstar_jax.errors import run_main
from rstar_jax.files import write_json
from rstar_jax.inference.config import Sampling
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, hidden_states, logits, parameter_count
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import make_mesh


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    quick: bool = False  # a small workload
    json: Path | None = None  # also write the figures to this file, as one flat object
    repeats: int = 5  # 2 with --quick


def inside(engine: Watched, seconds: float, rates: dict[str, float]) -> dict[str, float]:
    """Where the engine's time went, all repeats together."""
    m, decode, prefill = engine.metrics, rates["bare_decode_tokens_per_s"], rates["bare_prefill_tokens_per_s"]
    return {
        "reused_share": m.reused / (m.reused + m.prefilled),
        "rows_utilisation": m.decoded / engine.drawable,
        "device_share": m.device_seconds / seconds,
        "prefilled_per_new_token": m.prefilled / m.decoded,
        "of_bare": (m.decoded / decode + m.prefilled / prefill) / seconds,
    }


# --- Peers --------------------------------------------------------------------------------------------


def lock_step(peer: Peer, workload: Workload, prompts: list[list[int]], rows: int, seed: int) -> Done:
    """Every path's step in batches of `rows` rows, then the next step."""
    paths, rng, drawn, seconds = [list(prompt) for prompt in prompts], np.random.default_rng(seed), 0, 0.0
    at_once, n = rows // workload.siblings, workload.siblings
    for step in range(workload.steps):
        paths.sort(key=len)
        for first in range(0, len(paths), at_once):
            batch = paths[first : first + at_once]
            peer.prepare(batch, n, workload.max_tokens)
            start = time.perf_counter()
            found = peer.generate(batch, n, workload.max_tokens, 1000 * seed + 100 * step + first)
            seconds += time.perf_counter() - start
            for path, siblings in zip(batch, found, strict=True):
                drawn += sum(map(len, siblings))
                path += [*siblings[0], *words(rng, workload.output)]
    return Done(drawn, seconds)


def best_rows(peer: Peer, workload: Workload) -> int:
    """The size of a batch that gives most tokens per second, by one batch of each."""
    one = dataclasses.replace(workload, steps=1)
    rates = {
        rows: lock_step(peer, one, workload.middle(rows // workload.siblings), rows, 0).rate
        for rows in workload.batches
    }
    print(f"{peer.name}: " + ", ".join(f"{rows} rows {rate:.0f} tokens/s" for rows, rate in rates.items()))
    return max(rates, key=lambda rows: rates[rows])


# --- Greedy texts -------------------------------------------------------------------------------------


def gap(model: ModelConfig, params: Params, context: Sequence[int], one: int, other: int) -> float:
    """By how much our logit of a next token exceeds another's."""
    tokens, length = jnp.array([context]), len(context)
    with jax.set_mesh(make_mesh()):
        hidden = hidden_states(model, params, tokens, PackedRows(jnp.arange(length)[None], jnp.ones_like(tokens)))
        scores = np.asarray(logits(model, params, hidden)[0, -1])
    return float(scores[one] - scores[other])


async def greedy_ours(engine: PolicyEngine, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    sampling = Sampling(temperature=0, max_tokens=tokens)
    async with engine:
        found = await asyncio.gather(*(engine.generate(prompt, 1, sampling, 0) for prompt in prompts))
    return [list(completions[0].tokens) for completions in found]


def compare_greedy(engine: PolicyEngine, found: list[Peer], params: Params, workload: Workload) -> dict[str, float]:
    """How many greedy texts of each peer are ours, token for token; prints the first difference of the others."""
    count, tokens = workload.greedy
    prompts = workload.prompts()[:: max(workload.problems // count, 1)][:count]
    ours = asyncio.run(greedy_ours(engine, prompts, tokens))
    figures: dict[str, float] = {"greedy_texts": count}
    for peer in found:
        theirs = [siblings[0] for siblings in peer.generate(prompts, 1, tokens, greedy=True)]
        figures[f"{peer.name}_greedy_same"] = sum(a == b for a, b in zip(ours, theirs, strict=True))
        print(f"{peer.name}: {figures[f'{peer.name}_greedy_same']} of {count} greedy texts of {tokens} tokens are ours")
        for prompt, a, b in zip(prompts, ours, theirs, strict=True):
            at = next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), None)
            if at is not None:
                apart = gap(workload.model, params, prompt + a[:at], a[at], b[at])
                print(f"  prompt of {len(prompt)}: differs at token {at}, logits {apart:.2g} apart")
    return figures


# --- All together -------------------------------------------------------------------------------------


def in_turns(engine: Watched, rows: dict[Peer, int], params: Params, workload: Workload, repeats: int) -> dict:
    """What was done in each repeat, by name: ours, then each peer, and again."""
    done: dict[str, list[Done]] = {"ours": [], **{peer.name: [] for peer in rows}}
    for repeat in range(1, repeats + 1):
        engine.load(params)
        done["ours"].append(asyncio.run(grow_all(engine, workload, repeat)))
        for peer, size in rows.items():
            some = workload.middle(max(workload.problems // 4, size // workload.siblings))
            done[peer.name].append(lock_step(peer, workload, some, size, repeat))
    return done


def speeds(done: dict[str, list[Done]]) -> dict[str, float]:
    """Medians, extremes and ratios; printed as a table."""
    figures, ours = {}, statistics.median(one.rate for one in done["ours"])
    print(f"\n{'':14}{'new tokens/s':>14}{'least':>9}{'greatest':>10}{'tokens':>9}{'ours/peer':>11}")
    for name, repeats in done.items():
        rates = [one.rate for one in repeats]
        middle = statistics.median(rates)
        row = {"tokens_per_s": middle, "tokens_per_s_min": min(rates), "tokens_per_s_max": max(rates)}
        figures |= {f"{name}_{key}": value for key, value in row.items()}
        ratio = "" if name == "ours" else f"{ours / middle:.2f}"
        if ratio:
            figures[f"ours_by_{name}"] = ours / middle
        print(f"{name:14}{middle:14.1f}{min(rates):9.1f}{max(rates):10.1f}{repeats[-1].tokens:9}{ratio:>11}")
    return figures


def main(options: Options) -> None:
    """Measure, print, and write what was asked for."""
    jax.config.update("jax_platforms", "cpu")
    workload, repeats = (QUICK, 2) if options.quick else (Workload(), options.repeats)
    model, mesh = workload.model, make_mesh()
    params = make_params(model)
    found, missing = find_peers(model, params, STOP_IDS)
    if missing:
        print(f"Left out, for want of {' and '.join(missing)}, which `pip install -e .[peers]` installs.")
    engine = Watched(model, params, workload.sizes, STOP_IDS, mesh)
    endless = PolicyEngine(model, params, workload.sizes, (), mesh)
    figures: dict[str, float] = {"parameters": parameter_count(params)}
    figures["compile_seconds"] = sum(engine.warm_up().values())
    figures |= compare_greedy(endless, found, params, workload)
    rates = bare(endless, 4 * repeats)
    rows = {peer: best_rows(peer, workload) for peer in found}
    done = in_turns(engine, rows, params, workload, repeats)
    figures |= speeds(done) | {f"{peer.name}_rows": size for peer, size in rows.items()}
    figures |= rates | inside(engine, sum(one.seconds for one in done["ours"]), rates)
    print("", *(f"{name:28}{value:14,.2f}" for name, value in figures.items()), sep="\n")
    if options.json is not None:
        write_json(options.json, {name: round(value, 4) for name, value in figures.items()})


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options)))
