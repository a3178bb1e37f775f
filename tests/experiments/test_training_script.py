"""What the training scripts share."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from types import ModuleType

import pytest

from rstar_jax.errors import InputError
from rstar_jax.training.optimizer import PAPER_POLICY

FILE = pathlib.Path(__file__).parents[2] / "experiments" / "training_script.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FILE.parent))
    spec = importlib.util.spec_from_file_location("training_script", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "training_script", module)
    spec.loader.exec_module(module)
    return module


def test_what_is_left_out_is_the_presets(script) -> None:
    assert script.changed(PAPER_POLICY, script.TrainingFlags()) == PAPER_POLICY
    found = script.changed(PAPER_POLICY, script.TrainingFlags(epochs=1, remat="none"))
    assert (found.epochs, found.remat, found.batch_size) == (1, "none", PAPER_POLICY.batch_size)


def test_bfloat16_weights_are_rounded_stochastically_unless_told_otherwise(script) -> None:
    flags = script.TrainingFlags
    assert script.changed(PAPER_POLICY, flags(weights="bfloat16")).rounding == "stochastic"
    assert script.changed(PAPER_POLICY, flags(weights="bfloat16", rounding="nearest")).rounding == "nearest"


def test_an_impossible_value_is_one_sentence(script) -> None:
    with pytest.raises(InputError, match="epochs=0"):
        script.changed(PAPER_POLICY, script.TrainingFlags(epochs=0))
    with pytest.raises(InputError, match="no share"):
        script.check_share(1.0)


def test_where_hosts_meet_is_for_several(script) -> None:
    with pytest.raises(InputError, match="are for --distributed"):
        script.start_jax(script.TrainingFlags(coordinator="host:1", processes=2, process=0))
