"""How sure a measured number is: intervals for accuracies and tests for differences.

The paper prints no error bars; on 30 problems one problem moves an accuracy by 3.3 points, so we always do.
Every interval carries the name of its kind, and whatever prints it prints that name. Fractions are in [0, 1].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000
_CHUNK = 1_000  # resamples drawn at a time, so that memory stays at chunk × distinct results


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate with its interval; `kind` names method, resampled units and level."""

    estimate: float
    low: float
    high: float
    kind: str


@dataclasses.dataclass(frozen=True)
class McNemar:
    """Exact two-sided McNemar test: under the null hypothesis discordant pairs are fair coin flips."""

    only_first: int
    only_second: int
    p_value: float
    kind: str = "exact McNemar, two-sided"


def wilson(successes: int, total: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a binomial proportion.

    It inverts the normal test of the proportion: centre (p + z²/2n) / (1 + z²/n), half width
    z/(1 + z²/n) · sqrt(p(1-p)/n + z²/4n²). It stays inside [0, 1] and is not empty at 0 or n successes.

    Raises:
        ValueError: if `total` is not positive or `successes` is outside [0, total].
    """
    if total <= 0 or not 0 <= successes <= total:
        raise ValueError(f"no proportion: {successes} of {total}")
    z = float(stats.norm.ppf(0.5 + level / 2))
    p, shrink = successes / total, 1 + z * z / total
    centre = (p + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    low = 0.0 if successes == 0 else centre - half  # exact at the ends, where rounding would leave 1e-17
    high = 1.0 if successes == total else centre + half
    return Interval(p, low, high, f"Wilson {level:.0%}")


def bootstrap(
    values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Percentile bootstrap of the mean over problems: `values[p]` is the result on problem p."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"expected a non-empty vector, got shape {array.shape}")
    means = _resampled_means(np.random.default_rng(seed), array[None], resamples)[:, 0]
    return _percentiles(float(array.mean()), means, f"percentile bootstrap over problems, {level:.0%}", level)


def bootstrap_seeds(
    values: Sequence[Sequence[float]],
    *,
    crossed: bool,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Percentile bootstrap over seeds × problems: `values[s][p]` is the result of run s on problem p.

    crossed: every run saw the same problems in the same order; seeds and problems are resampled
    independently. Not crossed: each resampled seed resamples its own problems. The estimate is the mean over
    seeds of the mean over problems. With S seeds the bootstrap understates the variance between seeds by
    (S-1)/S: read few seeds with care.
    """
    if crossed and len({len(v) for v in values}) != 1:
        raise ValueError("crossed seeds need the same problems in every run")
    if not values or any(len(v) == 0 for v in values):
        raise ValueError("every seed needs at least one problem")
    rng = np.random.default_rng(seed)
    means = _crossed(rng, values, resamples) if crossed else _nested(rng, values, resamples)
    estimate = float(np.mean([np.mean(v) for v in values]))
    design = "crossed" if crossed else "nested"
    kind = f"percentile bootstrap over {len(values)} seeds × problems ({design}), {level:.0%}"
    return _percentiles(estimate, means, kind, level)


def bootstrap_seed_counts(
    counts: Sequence[tuple[int, int]],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """`bootstrap_seeds(crossed=False)` for 0/1 results known only as (successes, total) of every seed.

    Resampling n problems of which a share p succeeded draws a binomial count, so that no vectors are needed.
    """
    if not counts or any(total <= 0 or not 0 <= hits <= total for hits, total in counts):
        raise ValueError(f"no proportions: {counts}")
    totals = np.array([total for _, total in counts])
    shares = np.array([hits / total for hits, total in counts])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(counts), size=(resamples, len(counts)))
    means = (rng.binomial(totals[drawn], shares[drawn]) / totals[drawn]).mean(axis=1)
    kind = f"percentile bootstrap over {len(counts)} seeds × problems (nested), {level:.0%}"
    return _percentiles(float(shares.mean()), means, kind, level)


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Percentile bootstrap of mean(first) - mean(second); both vectors list the same problems."""
    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    interval = bootstrap(difference.tolist(), seed=seed, resamples=resamples, level=level)
    return dataclasses.replace(interval, kind="paired " + interval.kind)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Exact McNemar test on the same problems; p = 1 when the two never disagree."""
    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    discordant = only_first + only_second
    p_value = float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemar(only_first, only_second, p_value)


def _crossed(rng: np.random.Generator, values: Sequence[Sequence[float]], resamples: int) -> np.ndarray:
    seeds = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples) / len(values)
    return (seeds * _resampled_means(rng, np.asarray(values, np.float64), resamples)).sum(axis=1)


def _nested(rng: np.random.Generator, values: Sequence[Sequence[float]], resamples: int) -> np.ndarray:
    """Means of resampled seeds; a seed drawn twice resamples its problems twice."""
    drawn = rng.integers(len(values), size=(resamples, len(values)))
    means = np.empty(drawn.shape)
    for s, vector in enumerate(values):
        here = drawn == s
        means[here] = _resampled_means(rng, np.asarray([vector], np.float64), int(here.sum()))[:, 0]
    return means.mean(axis=1)


def _resampled_means(rng: np.random.Generator, array: np.ndarray, resamples: int) -> np.ndarray:
    """Means over resampled columns, [resample, seed], of an array [seed, problem].

    Problems with equal columns are exchangeable, so only the count of each distinct column is drawn: for 0/1
    results of S seeds these are at most 2^S multinomial cells, whatever the number of problems.
    """
    columns, counts = np.unique(array, axis=1, return_counts=True)
    n = array.shape[1]
    sizes = [min(_CHUNK, resamples - start) for start in range(0, resamples, _CHUNK)]
    draws = [rng.multinomial(n, counts / n, size=size) @ columns.T / n for size in sizes]
    return np.concatenate([np.empty((0, len(array))), *draws])


def _percentiles(estimate: float, means: np.ndarray, kind: str, level: float) -> Interval:
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(estimate, float(low), float(high), kind)
