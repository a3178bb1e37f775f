"""A search tree as one HTML file, to be opened from the disk: `python -m rstar_jax.view TREE.parquet`.

The file holds the first tree of the first problem, or of those asked for. `--list` prints what there is to ask for.
Trajectories and pairs that became training data are marked: as `roundN/data` has them if the Parquet file lies in a
run directory, or else by the default rules.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Iterator

import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.files import write_text
from rstar_jax.search.store import iterate_trees, problem_ids, trees_of_problem
from rstar_jax.search.trajectories import n_correct, trajectories
from rstar_jax.search.tree import Tree
from rstar_jax.view.document import document
from rstar_jax.view.html import page
from rstar_jax.view.marks import find_marks

_SHOWN = 5  # ids that an error names


@dataclasses.dataclass(frozen=True)
class Flags:
    """file: Parquet file of trees. problem: its id; by default the first of the file. tree: its number among the
    problem's trees; by default the first. out: the file to write; by default named after the problem. list: print the
    file's trees, and write nothing."""

    file: tyro.conf.Positional[str]
    problem: str | None = None
    tree: int | None = None
    out: str | None = None
    list: bool = False


def main() -> None:
    flags = tyro.cli(Flags, description=__doc__)
    if flags.list:
        print(*table(iterate_trees(flags.file)), sep="\n")
        return
    ids = problem_ids(flags.file)
    trees = trees_of_problem(flags.file, _chosen_problem(flags, ids))
    tree = _chosen_tree(flags, trees)
    shown = document(tree, find_marks(flags.file, trees), flags.file, [one.index for one in trees])
    out = flags.out or default_name(tree)
    if pathlib.Path(out).is_dir():
        raise InputError(f"{out}: a folder, where a file is to be written")
    write_page(out, page(shown))
    print(f"{out}: {_count(len(tree), 'node')} of {tree.problem.id}, tree {tree.index}")
    if len(ids) > 1 or len(trees) > 1:
        held = f"{_count(len(ids), 'problem')}, {_count(len(trees), 'tree')} of this one"
        print(f"{flags.file} holds {held}; --list names them")


def table(trees: Iterable[Tree]) -> Iterator[str]:
    """A line a tree, as they come."""
    yield f"{'nodes':>6} {'rollouts':>8} {'right':>6} {'answers':>7}  {'tree':>4}  problem"
    for tree in trees:
        right, answers = n_correct(tree), len(trajectories(tree))
        yield f"{len(tree):>6} {tree.rollouts:>8} {right:>6} {answers:>7}  {tree.index:>4}  {tree.problem.id}"


def default_name(tree: Tree) -> str:
    """A file name in the current folder; an id may hold any character."""
    name = re.sub(r"[^\w.-]+", "-", tree.problem.id).strip("-.")[:100] or "tree"
    return f"{name}{f'-tree{tree.index}' if tree.index else ''}.html"


def write_page(out: str, text: str) -> None:
    """Raises InputError where the system refuses."""
    try:
        write_text(out, text)
    except PermissionError:
        raise InputError(f"{out}: no permission to write it") from None
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{out}: a part of this path is a file, not a folder") from None


def _chosen_problem(flags: Flags, ids: list[str]) -> str:
    if not ids:
        raise InputError(f"{flags.file}: it holds no trees")
    if flags.problem is None:
        return ids[0]
    if flags.problem not in ids:
        some = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        raise InputError(f"{flags.file}: no problem {flags.problem!r} in it ({_count(len(ids), 'problem')}: {some})")
    return flags.problem


def _chosen_tree(flags: Flags, trees: list[Tree]) -> Tree:
    found = {tree.index: tree for tree in trees}
    if flags.tree is None:
        return trees[0]
    if flags.tree not in found:
        numbers = ", ".join(map(str, found))
        raise InputError(f"{flags.file}: {trees[0].problem.id} has no tree {flags.tree} in it (there are: {numbers})")
    return found[flags.tree]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    run_main(main)
