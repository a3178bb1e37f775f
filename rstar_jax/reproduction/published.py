"""The base models of the paper: under which names its tables and figures have them."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class PaperModel:
    """Row and column labels as in `evaluation/paper_cells.json`; None where the paper does not have the model.

    headline: column of Table 1. base, search, search64: rows of Table 5. greedy_base, greedy: rows of Table 10.
    figure: series of Figures 5 and 7.
    """

    title: str
    headline: str | None
    base: str
    search: str
    search64: str
    greedy_base: str
    greedy: str
    figure: str


def _of(title: str, headline: str | None, base: str, size: str, greedy_base: str, figure: str) -> PaperModel:
    search = f"{size} + 7B PPM"
    return PaperModel(
        title,
        headline,
        base=base,
        search=f"rStar-Math {search}",
        search64=f"rStar-Math^64 {search}",
        greedy_base=greedy_base,
        greedy=f"{greedy_base} → our policy",
        figure=figure,
    )


QWEN_7B = _of(
    "Qwen2.5-Math-7B", "rStar Qwen-7B", "Qwen2.5-Math-7B base", "7B (Qwen2.5)", "Qwen2.5-Math-7B", "Qwen2.5-Math-7B"
)
QWEN2_7B = _of("Qwen2-Math-7B", None, "Qwen2-Math-7B base", "7B (Qwen2)", "Qwen2-Math-7B", "Qwen2-Math-7B")
QWEN_1_5B = _of(
    "Qwen2.5-Math-1.5B", "rStar Qwen-1.5B", "Qwen2.5-Math-1.5B base", "1.5B", "Qwen2.5-Math-1.5B", "Qwen2.5-Math-1.5B"
)
PHI3 = _of(
    "Phi3-mini-Instruct", "rStar Phi3-mini", "Phi3-mini-Instruct (3.8B) base", "3.8B", "Phi3-mini-Instruct", "Phi3-mini"
)
