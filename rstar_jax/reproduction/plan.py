"""What of the paper is reproduced, with how much of everything: a value in a config."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from rstar_jax.reproduction.published import QWEN_7B, PaperModel
from rstar_jax.search.config import SearchConfig

HELD_OUT = "held-out"  # the run's own test problems, as a benchmark
ALL = "All"
MAIN = "main"  # the run that a study is about, beside those of other base models


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of tables: the problems of a benchmark, or of one level of it.

    paper: its counterpart among the paper's columns ("MATH", "AIME24", "AMC23", "Olympiad", "College", "GSM8K",
    "GaokaoEn", "Omni-Math"), if there is one.
    """

    title: str
    benchmark: str
    level: str = ALL
    paper: str | None = None


@dataclasses.dataclass(frozen=True)
class Other:
    """Another base model, trained once on the last round of this run (section 4.1).

    config: of its run. paper: its counterpart. title: in tables, if it is not that very model.
    """

    config: str
    paper: PaperModel
    title: str = ""


@dataclasses.dataclass(frozen=True)
class StudyPlan:
    """Everything that tables and figures depend on besides the run.

    title, paper: of the run's models, and their counterpart. columns: of all tables but Table 2, whose are the levels
    of the training problems. omni: a column of Table 1 only. trajectories: searches per problem (section 4.1: 8, and 16
    for AIME and AMC, which `more` says by benchmark). most: searches of the headline systems (64), the last policy with
    the last PPM. counts: places of the curves of Figures 3 and 7. samples: of each policy for best-of-N and majority,
    and `most_samples` of the last policies (Figure 6); equal tokens means as many of them as the search's tokens buy.
    rejection_samples: of each training problem (Table 7: 32). top_k: of the released vote (4 to 8 in its README).
    is_analogue: other problems and models than the paper's; tables say so. search: System 2. methods: other ways to
    search, by name, compared at equal tokens. variants: changes of `search` by name ("c=1"), for sensitivity and
    ablations, with `variant_trees` searches each. benchmarks: a folder with files in the released layout; None: the
    Hub.
    """

    columns: tuple[Column, ...]
    search: SearchConfig
    methods: dict[str, SearchConfig] = dataclasses.field(default_factory=dict)
    variants: dict[str, SearchConfig] = dataclasses.field(default_factory=dict)
    title: str = ""
    paper: PaperModel = QWEN_7B
    others: tuple[Other, ...] = ()
    omni: Column | None = None
    trajectories: int = 8
    more: Mapping[str, int] = dataclasses.field(default_factory=dict)
    most: int = 64
    counts: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    samples: int = 64
    most_samples: int = 64
    rejection_samples: int = 32
    variant_trees: int = 1
    top_k: int = 4
    benchmarks: str | None = None
    is_analogue: bool = False

    @property
    def models(self) -> list[tuple[str, str, PaperModel]]:
        """(run, title, counterpart) of this run's last models and of the other runs'."""
        others = [(one.config, one.title or one.paper.title, one.paper) for one in self.others]
        return [(MAIN, self.title or self.paper.title, self.paper), *others]

    def trees(self, benchmark: str) -> int:
        """Searches per problem in tables."""
        return self.more.get(benchmark, self.trajectories)
