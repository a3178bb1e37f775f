"""Proposals that became no node of their own, put together by what happened to them."""

from __future__ import annotations

from typing import Any

from rstar_jax.search.tree import Refused, Tree
from rstar_jax.trajectory.steps import CLOSING_TAGS, split_closing

Group = dict[str, Any]


def refusals(tree: Tree) -> list[list[Group]]:
    """Of each node the groups of equal proposals that were merged or refused there, in the order of the first.

    A group has `reason`, `rollout` (from 0), `count` and, of a duplicate, what it was equal to: `node`, a child that
    has its text; `state`, a child that left the same state with another text (null if several may be meant); or `like`,
    the reason for which an equal proposal was refused. Those with a text that no child has bring their `text`, and
    `output` if there is any.
    """
    groups: list[dict[Refused, int]] = [{} for _ in tree.parent]
    for one in tree.refused:
        groups[one.node][one] = groups[one.node].get(one, 0) + 1
    return [_merged([_group(tree, one, count) for one, count in found.items()]) for found in groups]


def _group(tree: Tree, one: Refused, count: int) -> Group:
    group: Group = {"reason": one.reason, "rollout": one.created_at, "count": count}
    if one.reason == "duplicate":
        group |= _equal_to(tree, one)
    if "node" not in group:
        group |= {"text": one.text} | ({"output": one.output} if one.output else {})
    return group


def _merged(groups: list[Group]) -> list[Group]:
    """Equal proposals differ in their number of tokens, if in anything; that is not shown."""
    found: list[Group] = []
    for group in groups:
        same = [other for other in found if other | {"count": 0} == group | {"count": 0}]
        if same:
            same[0]["count"] += group["count"]
        else:
            found.append(group)
    return found


def _equal_to(tree: Tree, one: Refused) -> Group:
    children = tree.children[one.node]
    for equal in (_same_text, _same_body):
        for child in children:
            if equal(tree.text[child], one.text):
                return {"node": child}
    refused = [
        other.reason
        for other in tree.refused
        if other.node == one.node and other.reason != "duplicate" and _same_body(other.text, one.text)
    ]
    if refused:
        return {"like": refused[0]}
    printed = [child for child in children if tree.outcome[child] and tree.output[child] == one.output]
    return {"state": printed[0] if len(printed) == 1 else None} if tree.config.merge_states else {}


def _same_text(text: str, proposed: str) -> bool:
    """Equal but for what was appended behind the closing tag."""
    return text == proposed or (proposed.endswith(CLOSING_TAGS) and text.startswith(proposed))


def _same_body(text: str, proposed: str) -> bool:
    """Equal but for the closing tag and what was appended to it, as the released search compares (item 7)."""
    body = split_closing(proposed)[0]
    rest = text.removeprefix(body)
    return text.startswith(body) and (not rest or rest.startswith(CLOSING_TAGS))
