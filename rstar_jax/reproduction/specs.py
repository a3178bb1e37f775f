"""The paper's tables as values: which rows, which of our ways of answering each has, which row of the paper beside it.

What has to be run for a table follows from its lines (`Spec.ways`). Every System 2 row brings best-of-N and majority of
as many samples as its tokens buy, since later work found no clear win of search over them: whether ours wins is shown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from rstar_jax.evaluation.paper import published
from rstar_jax.reproduction.evaluations import Evaluation, greedy
from rstar_jax.reproduction.models import RANDOM_SFT, REJECTION_SFT, STEPS_ONLY_PPM, orm, ppm, pqm, slm
from rstar_jax.reproduction.plan import MAIN, StudyPlan
from rstar_jax.reproduction.ways import Way

Kind = Literal["accuracy", "coverage", "tokens"]


@dataclasses.dataclass(frozen=True)
class Line:
    """way: None, if only the paper has this row. paper: labels of the paper's row; None, if only we have it."""

    labels: tuple[str, ...]
    way: Way | None = None
    paper: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two ways on the same problems."""

    label: str
    first: Way
    second: Way


@dataclasses.dataclass(frozen=True)
class Spec:
    """A table. paper: its key among the published ones. rounds: of Table 2, whose lines are not evaluations: number,
    who searched, who searched in the paper."""

    name: str
    title: str
    label_names: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    paper: str | None = None
    kind: Kind = "accuracy"
    rounds: tuple[tuple[int, str, str], ...] = ()
    note: str = ""

    @property
    def ways(self) -> list[Way]:
        """All ways that the table shows, and those that their tokens are measured by."""
        found = [line.way for line in self.lines if line.way is not None]
        found += [way for one in self.comparisons for way in (one.first, one.second)]
        return list(dict.fromkeys([*found, *(way.equal_to for way in found if way.equal_to is not None)]))


@dataclasses.dataclass(frozen=True)
class Rounds:
    """Numbers of the run's rounds, who searched in them, and the policy that every PPM guides in Table 4."""

    numbers: tuple[int, ...]
    searchers: tuple[str, ...]
    fixed_policy: int = 1

    @property
    def last(self) -> int:
        return self.numbers[-1]

    def searched(self, policy: int, scorer: str) -> Evaluation:
        """A search; of the headline system there are many."""
        return Evaluation(slm(policy), "search", scorer, many=policy == self.last and scorer == ppm(self.last))

    def samples(self, policy: int) -> Evaluation:
        return Evaluation(slm(policy), "samples", many=policy == self.last)

    def scored(self, policy: int, scorer: str) -> Evaluation:
        return dataclasses.replace(self.samples(policy), kind="scored", scorer=scorer)

    @property
    def headline(self) -> Way:
        return Way(self.searched(self.last, ppm(self.last)), "best")


def specs(plan: StudyPlan, rounds: Rounds) -> dict[str, Spec]:
    """All tables by name: the paper's ten, then those that it lacks."""
    made = (
        table_1(plan, rounds),
        table_2(rounds),
        table_3(rounds),
        table_4(rounds),
        table_5(plan, rounds),
        table_6(rounds),
        table_7(plan, rounds),
        table_8(rounds),
        table_9(plan, rounds),
        table_10(plan, rounds),
        methods(plan, rounds),
        sensitivity(plan, rounds),
        ablations(plan, rounds),
    )
    return {spec.name: spec for spec in made}


def table_1(plan: StudyPlan, rounds: Rounds) -> Spec:
    lines, comparisons = [], []
    for run, title, model in plan.models:
        way = dataclasses.replace(rounds.headline, n=plan.most, run=run)
        lines.append(Line((f"rStar-Math, {title}",), way, (model.headline,) if model.headline else None))
        lines += _baselines(way, rounds, rounds.last, ppm(rounds.last))
        comparisons += _against_baselines(f"{title}: ", way, rounds, rounds.last, ppm(rounds.last))
    columns = published()["table_1"].columns
    lines += [Line((name,), None, (name,)) for name in columns if not name.startswith("rStar")]
    heading = f"Table 1: the headline, {plan.most} trajectories"
    return Spec("table_1", heading, ("model",), tuple(lines), tuple(comparisons), "table_1")


def table_2(rounds: Rounds) -> Spec:
    return Spec(
        "table_2",
        "Table 2: training problems solved per round",
        ("round", "models in MCTS"),
        paper="table_2",
        kind="coverage",
        rounds=tuple(zip(rounds.numbers, rounds.searchers, _paper_column("table_2", 1), strict=False)),
    )


def table_3(rounds: Rounds) -> Spec:
    lines = [Line(("DeepSeek-Coder-V2-Instruct",), None, ("DeepSeek-Coder-V2-Instruct",))]
    lines.append(Line(("base",), Way(greedy(0)), ("Base Qwen2.5-Math-7B",)))
    lines += [Line((slm(n),), Way(greedy(n)), (slm(n),)) for n in rounds.numbers]
    steps = [
        Comparison(f"{slm(b)} − {slm(a)}", Way(greedy(b)), Way(greedy(a)))
        for a, b in zip((0, *rounds.numbers), rounds.numbers, strict=False)
    ]
    title = "Table 3: System 1, the greedy policy of each round"
    return Spec("table_3", title, ("model",), tuple(lines), tuple(steps), "table_3")


def table_4(rounds: Rounds) -> Spec:
    policy, lines, comparisons = rounds.fixed_policy, [], []
    for n in rounds.numbers:
        way = Way(rounds.searched(policy, ppm(n)), "best")
        lines.append(Line((ppm(n),), way, (f"r{n}",)))
        lines += _baselines(way, rounds, policy, ppm(n))
        comparisons += _against_baselines(f"{ppm(n)}: ", way, rounds, policy, ppm(n))
    first, last = (Way(rounds.searched(policy, ppm(n)), "best") for n in (rounds.numbers[0], rounds.last))
    comparisons.append(Comparison(f"{ppm(rounds.last)} − {ppm(rounds.numbers[0])}", last, first))
    title = f"Table 4: the PPM of each round, policy fixed to {slm(policy)}"
    return Spec("table_4", title, ("PPM",), tuple(lines), tuple(comparisons), "table_4")


def table_5(plan: StudyPlan, rounds: Rounds) -> Spec:
    ours, comparisons, seen = [], [], set()
    for run, title, model in plan.models:
        base, few = Way(greedy(0), run=run), dataclasses.replace(rounds.headline, run=run)
        most = dataclasses.replace(few, n=plan.most)
        policy = Way(greedy(rounds.last), run=run)
        ours.append(Line((f"{title}, base", "S1"), base, (model.base, "S1")))
        ours.append(Line((f"{title}, our policy", "S1"), policy))
        for way, label, paper in ((few, "rStar-Math", model.search), (most, f"rStar-Math^{plan.most}", model.search64)):
            ours.append(Line((f"{label}, {title}", "S2"), way, (paper, "S2")))
            ours += [
                Line((*line.labels, "S2"), line.way) for line in _baselines(way, rounds, rounds.last, ppm(rounds.last))
            ]
            name = f"{label}, {title}: "
            comparisons += _against_baselines(name, way, rounds, rounds.last, ppm(rounds.last))
        comparisons.append(Comparison(f"{title}: rStar-Math − our policy, greedy", few, policy))
        seen |= {(model.base, "S1"), (model.search, "S2"), (model.search64, "S2")}
    rest = [labels for labels in published()["table_5"].row_labels if labels not in seen]
    lines = (*ours, *(Line(labels, None, labels) for labels in rest))
    heading = "Table 5: main results"
    return Spec("table_5", heading, ("model", "method"), lines, tuple(comparisons), "table_5")


def table_6(rounds: Rounds) -> Spec:
    lines = [Line(("GPT-4o",), None, ("GPT-4o",)), Line(("base",), Way(greedy(0)), ("Base 7B",))]
    comparisons = []
    for n in rounds.numbers:
        way = Way(rounds.searched(n, ppm(n)), "best")
        lines.append(Line((f"Round {n}",), way, (f"Round {n}",)))
        lines += _baselines(way, rounds, n, ppm(n))
        comparisons.append(Comparison(f"Round {n}: − greedy", way, Way(greedy(n))))
        comparisons += _against_baselines(f"Round {n}: ", way, rounds, n, ppm(n))
    title = "Table 6: System 2, policy and PPM of each round"
    return Spec("table_6", title, ("round",), tuple(lines), tuple(comparisons), "table_6")


def table_7(plan: StudyPlan, rounds: Rounds) -> Spec:
    labels = published()["table_7"].row_labels
    own = {
        "random sample": Evaluation(RANDOM_SFT, "greedy"),
        "rejection sampling": Evaluation(REJECTION_SFT, "greedy"),
        "step-by-step verified": greedy(rounds.last),
    }
    lines = []
    for source, data in labels:
        name = next((key for key in own if data.startswith(key)), None)
        ours = data.replace("32 samples", f"{plan.rejection_samples} samples")
        label = (slm(rounds.last - 1), ours) if name and rounds.last > 1 else (source, data)
        lines.append(Line(label, Way(own[name]) if name else None, (source, data)))
    verified = Way(greedy(rounds.last))
    comparisons = tuple(
        Comparison(f"step-by-step verified − {key}", verified, Way(own[key]))
        for key in ("random sample", "rejection sampling")
    )
    title = "Table 7: what the policy learns from (greedy)"
    return Spec("table_7", title, ("source", "data"), tuple(lines), comparisons, "table_7")


def table_8(rounds: Rounds) -> Spec:
    last = rounds.last
    best_of_n = Way(rounds.scored(last, orm(last)), "best")
    searches = {"PQM": Way(rounds.searched(last, pqm(last)), "best"), "PPM": rounds.headline}
    lines = [Line(("o1-mini", "–"), None, ("o1-mini", "–"))]
    lines.append(Line(("ORM", "Best-of-N"), best_of_n, ("ORM", "Best-of-N")))
    comparisons = []
    for name, way in searches.items():
        lines.append(Line((name, "MCTS"), way, (name, "MCTS")))
        scorer = way.evaluation.scorer or ""
        lines += [Line((*line.labels, ""), line.way) for line in _baselines(way, rounds, last, scorer)]
        comparisons += _against_baselines(f"{name}: ", way, rounds, last, scorer)
    equal = dataclasses.replace(best_of_n, equal_to=rounds.headline)
    lines.append(Line(("ORM, tokens of the PPM's search", "Best-of-N"), equal))
    comparisons += [
        Comparison("PPM − ORM, equal tokens", rounds.headline, equal),
        Comparison("PPM − PQM", rounds.headline, searches["PQM"]),
    ]
    title = f"Table 8: reward models, policy {slm(last)}"
    return Spec("table_8", title, ("reward model", "inference"), tuple(lines), tuple(comparisons), "table_8")


def table_9(plan: StudyPlan, rounds: Rounds) -> Spec:
    lines = [
        Line((f"rStar-Math, {title}",), dataclasses.replace(rounds.headline, run=run), _if_main(run))
        for run, title, model in plan.models
    ]
    lines.append(Line((f"{slm(rounds.last)}, one sample",), Way(rounds.samples(rounds.last), "majority")))
    note = "all tokens that the policy generated, those of discarded candidates included, over trajectories"
    heading = "Table 9: mean generated tokens to obtain one trajectory"
    return Spec("table_9", heading, ("system",), tuple(lines), (), "table_9", "tokens", note=note)


def table_10(plan: StudyPlan, rounds: Rounds) -> Spec:
    lines, comparisons, seen = [], [], set()
    for run, title, model in plan.models:
        base, policy = Way(greedy(0), run=run), Way(greedy(rounds.last), run=run)
        lines.append(Line((title,), base, (model.greedy_base,)))
        lines.append(Line((f"{title} → our policy",), policy, (model.greedy,)))
        comparisons.append(Comparison(f"{title}: our policy − base", policy, base))
        seen |= {(model.greedy_base,), (model.greedy,)}
    rest = [labels for labels in published()["table_10"].row_labels if labels not in seen]
    lines += [Line(labels, None, labels) for labels in rest]
    heading = "Table 10: greedy policies"
    return Spec("table_10", heading, ("model",), tuple(lines), tuple(comparisons), "table_10")


def methods(plan: StudyPlan, rounds: Rounds) -> Spec:
    """Ways to search and to choose, beside each other at equal tokens."""
    head, last = rounds.headline, rounds.last
    chosen = [
        ("MCTS, best by PPM", head),
        (f"MCTS, vote of the {plan.top_k} best", dataclasses.replace(head, rule="vote")),
        ("MCTS, weighted vote", dataclasses.replace(head, rule="weighted")),
    ]
    searches = [(name, Way(Evaluation(slm(last), "search", ppm(last), name), "best")) for name in plan.methods]
    sampled = [
        ("best-of-N by PPM", Way(rounds.scored(last, ppm(last)), "best", equal_to=head)),
        ("weighted vote of samples", Way(rounds.scored(last, ppm(last)), "weighted", equal_to=head)),
        ("majority of samples", Way(rounds.samples(last), "majority", equal_to=head)),
    ]
    lines = [*(Line((name,), way) for name, way in (*chosen, *searches)), Line(("greedy",), Way(greedy(last)))]
    lines += [Line((f"{name}, tokens of MCTS",), way) for name, way in sampled]
    comparisons = [Comparison(f"MCTS − {name}", head, way) for name, way in (*chosen[1:], *searches, *sampled)]
    for name, way in searches:
        comparisons += _against_baselines(f"{name}: ", way, rounds, last, ppm(last))
    title = f"Ways to search and to choose, {slm(last)} with {ppm(last)} (not in the paper)"
    return Spec("methods", title, ("method",), tuple(lines), tuple(comparisons))


def sensitivity(plan: StudyPlan, rounds: Rounds) -> Spec:
    """How much depends on c, depth, candidates and rollouts: one search a problem."""
    title = f"Sensitivity of the search, {plan.variant_trees} a problem (not in the paper)"
    return _variants(plan, rounds, "sensitivity", title, [name for name in plan.variants if "=" in name])


def ablations(plan: StudyPlan, rounds: Rounds) -> Spec:
    """The value of running code while searching, and of pairs of final answers."""
    title = f"Ablations of the search, {plan.variant_trees} a problem (not in the paper)"
    spec = _variants(plan, rounds, "ablations", title, [name for name in plan.variants if "=" not in name])
    steps_only = Way(rounds.searched(rounds.last, STEPS_ONLY_PPM), "best")
    whole = Line(("PPM with all pairs",), rounds.headline)
    lines = (*spec.lines, whole, Line(("PPM without answer pairs",), steps_only))
    comparison = Comparison("all pairs − without answer pairs", rounds.headline, steps_only)
    return dataclasses.replace(spec, lines=lines, comparisons=(*spec.comparisons, comparison))


def _variants(plan: StudyPlan, rounds: Rounds, name: str, title: str, variants: Sequence[str]) -> Spec:
    last, default = rounds.last, dataclasses.replace(rounds.headline, n=plan.variant_trees)
    ways = {one: Way(Evaluation(slm(last), "search", ppm(last), one), "best", plan.variant_trees) for one in variants}
    lines = (Line(("default",), default), *(Line((one,), way) for one, way in ways.items()))
    comparisons = tuple(Comparison(f"{one} − default", way, default) for one, way in ways.items())
    return Spec(name, title, ("search",), lines, comparisons)


def _if_main(run: str) -> tuple[str, ...] | None:
    return ("rStar-Math 7B",) if run == MAIN else None


def _paper_column(name: str, place: int) -> list[str]:
    return [labels[place] for labels in published()[name].row_labels]


def _equal_tokens(way: Way, rounds: Rounds, policy: int, scorer: str) -> dict[str, Way]:
    return {
        "best-of-N, equal tokens": Way(rounds.scored(policy, scorer), "best", equal_to=way, run=way.run),
        "majority, equal tokens": Way(rounds.samples(policy), "majority", equal_to=way, run=way.run),
    }


def _baselines(way: Way, rounds: Rounds, policy: int, scorer: str) -> list[Line]:
    return [Line((f"· {name}",), one) for name, one in _equal_tokens(way, rounds, policy, scorer).items()]


def _against_baselines(prefix: str, way: Way, rounds: Rounds, policy: int, scorer: str) -> list[Comparison]:
    equal = _equal_tokens(way, rounds, policy, scorer)
    return [Comparison(f"{prefix}− {name}", way, one) for name, one in equal.items()]


