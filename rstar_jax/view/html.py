"""Puts a document and the parts of the page together into one HTML file, which asks for nothing from anywhere.

What models wrote is untrusted. It gets into the file as JSON without any "<", and onto the screen as text nodes. Should
that fail, the page's policy still lets no script run but its own, and no request out.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.resources
import json
import re
from typing import Any

# In the order in which they depend on each other.
SCRIPTS = (
    *("dom", "model", "layout", "training_data", "drawing", "places", "camera"),
    *("legend", "help", "panel", "search", "timeline", "main"),
)
_SLOT = re.compile(r"\{\{(\w+)\}\}")


def page(document: dict[str, Any]) -> str:
    """The whole HTML file."""
    style = "\n" + _part("page.css")
    scripts = "\n".join(_part(f"{name}.js") for name in SCRIPTS)
    script = f'\n(() => {{\n"use strict";\n{scripts}}})();\n'
    slots = {
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "title": html.escape(document["problem"]["id"]),
        "style": style,
        "document": as_script(document),
        "script": script,
    }
    return _SLOT.sub(lambda slot: slots[slot[1]], _part("page.html"))  # one pass: what is put in is not looked at again


def as_script(document: dict[str, Any]) -> str:
    """JSON that cannot end the element that holds it, nor begin a comment there."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # "<" occurs in JSON only within strings


def _part(name: str) -> str:
    return importlib.resources.files("rstar_jax.view").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
