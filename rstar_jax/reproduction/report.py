"""Tables and figures as files: Markdown, LaTeX, CSV; PNG, SVG; and the answers on which the graders disagree."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rstar_jax.errors import InputError
from rstar_jax.evaluation import exports, render
from rstar_jax.evaluation.canvas import png, svg
from rstar_jax.evaluation.tables import Table
from rstar_jax.files import atomic_write, write_text
from rstar_jax.reproduction.figures import FigureSpec, draw, figures
from rstar_jax.reproduction.plan import StudyPlan
from rstar_jax.reproduction.specs import Rounds, Spec, specs
from rstar_jax.reproduction.study import Study
from rstar_jax.reproduction.tables import columns_of, fill
from rstar_jax.reproduction.work import Job, in_order, jobs


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Tables and figures, and what has to be run for them."""

    tables: tuple[Spec, ...]
    figures: tuple[FigureSpec, ...]
    jobs: tuple[Job, ...]


def choose(plan: StudyPlan, rounds: Rounds, names: Sequence[str] = ()) -> Wanted:
    """Tables and figures by name; all of them without names."""
    tables, drawings = specs(plan, rounds), figures(plan, rounds)
    unknown = [name for name in names if name not in tables and name not in drawings]
    if unknown:
        raise InputError(f"there is no {unknown[0]}; known are {', '.join([*tables, *drawings])}")
    chosen = [spec for name, spec in tables.items() if not names or name in names]
    drawn = [spec for name, spec in drawings.items() if not names or name in names]
    needed = [job for spec in chosen for job in jobs(spec.ways, columns_of(spec, plan))]
    needed += [job for spec in drawn for job in jobs(spec.ways, plan.columns)]
    return Wanted(tuple(chosen), tuple(drawn), tuple(in_order(needed)))


def write_reports(study: Study, wanted: Wanted, folder: pathlib.Path) -> tuple[list[Table], list[str]]:
    """Write everything that is wanted; the tables, and the names of the files."""
    tables, files = [fill(spec, study) for spec in wanted.tables], []
    for table in tables:
        texts = {"md": render.markdown([table]), "tex": exports.latex(table), "csv": exports.csv_text([table])}
        files += [_write(folder / f"{table.name}.{ending}", text) for ending, text in texts.items()]
    for spec in wanted.figures:
        figure = draw(spec, study)
        if figure is not None:
            files += [_write(folder / f"{spec.name}.{kind}", of(figure)) for kind, of in (("png", png), ("svg", svg))]
    with atomic_write(folder / "disagreements.jsonl") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in disagreements(study))
    return tables, [*files, "disagreements.jsonl"]


def disagreements(study: Study) -> Iterator[dict[str, Any]]:
    """Distinct answers that the two graders judge differently, with how often each was given."""
    counts: dict[tuple[str, str, str], dict[str, Any]] = {}
    for seed in study.seeds:
        for (_, benchmark, _), result in seed.found.items():
            golds = {problem.id: problem for problem in result.problems}
            for row in _rows(result.rows.values()):
                if row.answer is not None and row.strict != row.released:
                    gold = golds[row.problem_id].answer
                    key = benchmark, row.problem_id, row.answer
                    fields = {"benchmark": benchmark, "problem": row.problem_id, "gold": gold, "answer": row.answer}
                    one = counts.setdefault(key, fields | {"strict": row.strict, "released": row.released, "times": 0})
                    one["times"] += 1
    yield from sorted(counts.values(), key=lambda one: (one["benchmark"], -one["times"], one["problem"], one["answer"]))


def _rows(methods: Iterable[Any]) -> Iterator[Any]:
    return (row for of_problem in methods for rows in of_problem.values() for row in rows)


def _write(path: pathlib.Path, content: str | bytes) -> str:
    if isinstance(content, str):
        write_text(path, content)
    else:
        with atomic_write(path, "wb") as file:
            file.write(content)
    return path.name
