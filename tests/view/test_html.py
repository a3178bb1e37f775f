"""The file: self-contained, and safe to open."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import json
import re

from rstar_jax.problems.problem import Problem
from rstar_jax.search.tree import Tree
from rstar_jax.view.document import document
from rstar_jax.view.html import as_script, page
from rstar_jax.view.marks import Marks

MEGABYTE = 1_000_000


class Elements(html.parser.HTMLParser):
    """Names, attributes and texts of a page's elements, as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", {}, ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = tag, attributes, text + data

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def shown(tree: Tree) -> str:
    return page(document(tree, Marks("By nobody.")))


def test_the_document_comes_through_unchanged(small: Tree):
    expected = document(small, Marks("By nobody."))
    (attributes, text), _ = Elements(page(expected)).of("script")
    assert attributes == {"type": "application/json", "id": "document"}
    assert json.loads(text) == expected


def test_models_cannot_write_markup(small: Tree):
    elements = Elements(shown(small))
    assert len(elements.of("script")) == 2
    assert elements.of("img") == []
    assert "</script>" not in as_script(document(small, Marks("By nobody.")))


def test_titles_are_text(small: Tree):
    small.problem = dataclasses.replace(small.problem, id="</title><b>{{script}}")
    ((_, title),) = Elements(shown(small)).of("title")
    assert title == "</title><b>{{script}} · search tree"


def test_slots_in_a_document_stay_text(small: Tree):
    small.problem = Problem("{{script}}", "{{document}} {{style}}", "1")
    (_, text), _ = Elements(shown(small)).of("script")
    assert json.loads(text)["problem"]["question"] == "{{document}} {{style}}"


def test_half_surrogate_pairs_are_written(small: Tree):
    small.output[1] = "\ud800"
    assert json.loads(as_script(document(small, Marks("")))) is not None


def test_nothing_is_asked_for(large: Tree):
    text = shown(large)
    elements = Elements(text)
    for _, attributes, _ in elements.found:
        assert not {"src", "href", "action", "style", "onclick"} & attributes.keys()
    assert set(re.findall(r"https?://[\w./]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text


def test_the_policy_allows_exactly_the_pages_own_style_and_script(small: Tree):
    elements = Elements(shown(small))
    (policy,) = [one["content"] for one, _ in elements.of("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    ((_, style),) = elements.of("style")
    (_, (_, script)) = elements.of("script")
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_parts_of_the_script_do_not_take_each_others_names(small: Tree):
    _, (_, script) = Elements(shown(small)).of("script")
    names = re.findall(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", script, re.MULTILINE)
    assert len(names) > 50
    assert len(names) == len(set(names))


def test_no_text_becomes_markup_in_the_script(small: Tree):
    _, (_, script) = Elements(shown(small)).of("script")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser", script)


def test_400_nodes_weigh_less_than_a_megabyte(large: Tree):
    text = shown(large)
    print(f"{len(large)} nodes: {len(text.encode()) / 1000:.0f} kB")
    assert len(text.encode()) < MEGABYTE
