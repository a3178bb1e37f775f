"""Golden trees: files recorded from the authors' search with the models replaced by tables.

A file is a JSON object:

    name, question, answer    answers are compared as plain strings
    config                    the released code's own field names and values
    expansions                partial solution → raw candidates [text, stop string] in sampling order
    values                    partial solution → reward in [-1, 1]
    nodes                     the tree, breadth first: tag, text, final_answer, terminal, value, q, visits,
    depth rollout_answers           at test time, the best answer of each rollout
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Path, Proposal


class BadGolden(ValueError):
    """A file that is no golden tree; the message says why in one sentence."""


class NotRecorded(Exception):
    """The replay asked for something that the recorded run never asked for."""


@dataclasses.dataclass(frozen=True)
class Golden:
    """A recorded run."""

    name: str
    problem: Problem
    config: dict[str, Any]
    expansions: dict[str, list[Proposal]]
    values: dict[str, float]
    nodes: list[dict[str, Any]]
    rollout_answers: dict[str, list[Any]]


NODE_FIELDS: dict[str, tuple[type, ...]] = {
    "tag": (str,),
    "text": (str,),
    "final_answer": (str,),
    "terminal": (bool,),
    "value": (int, float),
    "q": (int, float),
    "visits": (int,),
    "depth": (int,),
}
ROLLOUT_FIELDS = ("answers", "judgements", "value_estimate", "rollout_indexs")
CONFIG_FIELDS: dict[str, tuple[type, ...]] = {
    "n_generate_sample": (int,),
    "iterations": (int,),
    "max_depth": (int,),
    "errors_threshold": (int,),
    "is_sampling": (bool,),
    "need_value_func": (bool,),
    "terminal_sample": (bool,),
    "update_leaf_value": (bool,),
    "c_puct": (int, float),
    "positive_reward": (int, float),
    "negative_reward": (int, float),
}


def parse(text: str) -> Golden:
    """Read a golden tree. Raises BadGolden."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BadGolden(f"it is not JSON ({error})") from error
    fields = {"name": (str,), "question": (str,), "answer": (str,), "nodes": (list,)}
    fields |= dict.fromkeys(("config", "expansions", "values", "rollout_answers"), (dict,))
    _check(raw, fields, "the file")
    _check(raw["config"], CONFIG_FIELDS, "config")
    for place, node in enumerate(raw["nodes"]):
        _check(node, NODE_FIELDS, f"nodes[{place}]")
    _check(raw["rollout_answers"], dict.fromkeys(ROLLOUT_FIELDS, (list,)), "rollout_answers")
    return Golden(
        name=raw["name"],
        problem=Problem(raw["name"], raw["question"], raw["answer"]),
        config=raw["config"],
        expansions={key: _proposals(key, value) for key, value in raw["expansions"].items()},
        values={key: _number(key, value) for key, value in raw["values"].items()},
        nodes=raw["nodes"],
        rollout_answers=raw["rollout_answers"],
    )


def config_of(golden: Golden) -> SearchConfig:
    """The settings that mean the same as the recorded ones. Raises BadGolden for impossible values."""
    theirs = golden.config
    scores_inner_nodes = theirs["update_leaf_value"] and not theirs["terminal_sample"]
    try:
        return dataclasses.replace(
            presets.released("sample"),
            rollouts=theirs["iterations"],
            candidates=theirs["n_generate_sample"],
            max_depth=theirs["max_depth"],
            errors_threshold=theirs["errors_threshold"],
            c_puct=theirs["c_puct"],
            positive_reward=theirs["positive_reward"],
            negative_reward=theirs["negative_reward"],
            terminal="truth" if theirs["is_sampling"] else "ppm",
            prior="visit" if scores_inner_nodes else "none",
        )
    except ValueError as error:
        raise BadGolden(f"its config is impossible ({error})") from error


@dataclasses.dataclass(frozen=True)
class TableProposer:
    """Proposes what was recorded."""

    golden: Golden

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        if path.text not in self.golden.expansions:
            raise NotRecorded(f"it expands a node that the recorded run did not: {path.text!r}")
        return self.golden.expansions[path.text]


@dataclasses.dataclass(frozen=True)
class TableScorer:
    """Scores as recorded; 0 everywhere if the recorded run had no reward model, as the released code does."""

    golden: Golden

    async def score(self, paths: Sequence[Path]) -> list[float]:
        return [self._score(path.text) for path in paths]

    def _score(self, text: str) -> float:
        if not self.golden.config["need_value_func"]:
            return 0.0
        if text not in self.golden.values:
            raise NotRecorded(f"it scores a node that the recorded run did not: {text!r}")
        return self.golden.values[text]


class StringGrader:
    """Answers are right when they are the same string."""

    async def grade(self, answer: str, truth: str) -> bool:
        return answer == truth


def _check(value: Any, fields: dict[str, tuple[type, ...]], where: str) -> None:
    if not isinstance(value, dict):
        raise BadGolden(f"{where} is not an object")
    for name, kinds in fields.items():
        if name not in value:
            raise BadGolden(f"{where} has no {name!r}")
        is_stray_bool = isinstance(value[name], bool) and bool not in kinds
        if is_stray_bool or not isinstance(value[name], kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise BadGolden(f"{name!r} of {where} is not of type {wanted}")


def _proposals(key: str, candidates: Any) -> list[Proposal]:
    if not isinstance(candidates, list):
        raise BadGolden(f"the candidates after {key!r} are not a list")
    for pair in candidates:
        is_pair = isinstance(pair, list) and len(pair) == 2
        if not is_pair or not isinstance(pair[0], str) or not isinstance(pair[1], str | None):
            raise BadGolden(f"a candidate after {key!r} is not a pair of text and stop string")
    return [Proposal(text + (stop or ""), "stop" if stop else "length") for text, stop in candidates]


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadGolden(f"the value of {key!r} is not a number")
    return float(value)
