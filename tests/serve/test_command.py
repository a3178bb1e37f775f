"""What the command refuses before anything loads."""

from __future__ import annotations

import dataclasses

import pytest

from rstar_jax.errors import InputError
from rstar_jax.search import presets
from rstar_jax.serve.command import check_effort
from rstar_jax.serve.limits import Limits
from rstar_jax.thinking.thought import Effort

SEARCH = dataclasses.replace(presets.default("eval"), rollouts=8, candidates=16)


@pytest.mark.parametrize(
    ("effort", "limits", "sentence"),
    [
        (Effort(), Limits(rollouts=7), "8 rollouts by default, but a request may have 7 at most .--limits.rollouts"),
        (Effort(candidates=65), Limits(), "65 candidates by default, but a request may have 64"),
        (Effort(trajectories=17), Limits(), "17 trajectories by default, but a request may have 16"),
    ],
)
def test_the_usual_effort_is_within_the_limits(effort, limits, sentence):
    check_effort(Effort(rollouts=9), SEARCH, Limits(rollouts=9))
    with pytest.raises(InputError, match=sentence):
        check_effort(effort, SEARCH, limits)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_limits_are_positive(name):
    with pytest.raises(ValueError, match=f"{name}=-1 is too small"):
        Limits(**{name: -1})
