"""Which models think, and how: by name, by run, or the newest finished one."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import pathlib

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.run_dir import RunDir, claim
from rstar_jax.models.config import ModelConfig
from rstar_jax.search import presets
from rstar_jax.thinking.flags import ModelFlags, changed, models_of
from rstar_jax.thinking.models import find_models, newest_example
from rstar_jax.thinking.settings import default_settings, settings_of

CPU = pathlib.Path(__file__).parents[2] / "experiments" / "configs" / "cpu.py"


@pytest.fixture(scope="module")
def config():
    """The built-in example's."""
    spec = importlib.util.spec_from_file_location("cpu", CPU)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.config()


@pytest.fixture
def finish(tmp_path, config):
    """Make a run; finished: at that time, or not at all."""

    def run(folder: str, finished: int | None, **changes) -> RunDir:
        run = RunDir(tmp_path / "runs" / folder)
        claim(run, dataclasses.replace(config, **changes))
        if finished is not None:
            run.report.mkdir()
            run.summary.write_text("{}")
            os.utime(run.summary, (finished, finished))
        return run

    return run


def test_settings_are_those_of_the_runs_evaluation(finish, config):
    found = settings_of(finish("a", None))
    assert found.search == config.evaluation.search
    assert (found.sampling, found.engine, found.scoring) == (config.sampling, config.engine, config.scoring)
    assert (found.executor, found.frame, found.dtype) == (config.executor, config.frame, config.serve_in)


def test_the_newest_finished_run_of_the_example(tmp_path, finish):
    finish("old", 1000)
    newest = finish("newer", 3000)
    finish("older", 2000)
    finish("unfinished", None)
    finish("another", 4000, name="qwen")
    (tmp_path / "runs" / "other").mkdir()
    found = newest_example(tmp_path / "runs")
    assert (found.policy, found.ppm) == (str(newest.policy(4)), str(newest.ppm(4)))
    assert f"round 4 of the newest finished run, {newest.root}" in found.words


@pytest.mark.parametrize("runs", ["runs", "nowhere"])
def test_without_a_finished_run_there_is_a_sentence(tmp_path, finish, runs):
    finish("unfinished", None)
    with pytest.raises(InputError, match=f"no finished run of the built-in example in .*/{runs}/; start `bash laun"):
        find_models(None, None, tmp_path / runs)


@pytest.mark.parametrize(("model", "ppm", "missing"), [("m", None, "--ppm"), (None, "p", "--model")])
def test_one_model_is_not_enough(tmp_path, model, ppm, missing):
    with pytest.raises(InputError, match=f"{missing} is missing"):
        find_models(model, ppm, tmp_path)


def test_a_model_of_a_run_brings_its_settings(finish):
    run = finish("a", None)
    found = find_models(str(run.policy(2)), str(run.ppm(3)), pathlib.Path("nowhere"))
    assert found.settings == settings_of(run)
    assert found.words == f"{run.policy(2)} and {run.ppm(3)}, with the settings of the run {run.root}"


def test_other_models_get_the_papers_test_within_their_context(tmp_path):
    sizes = {"vocab_size": 9, "d_model": 8, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "head_dim": 8, "d_ff": 8}
    for name, head, length in (("policy", "lm", 2048), ("ppm", "value", 1024)):
        folder = tmp_path / name
        folder.mkdir()
        model = ModelConfig(**sizes, max_length=length)
        (folder / "config.json").write_text(json.dumps({"model": model.to_json(), "head": head}))
    found = find_models(str(tmp_path / "policy"), str(tmp_path / "ppm"), tmp_path)
    assert found.settings == default_settings(1024)
    assert found.settings.search == presets.default("eval")
    assert found.settings.engine.max_length == found.settings.sampling.max_tokens == 1024


def test_a_config_of_another_version_is_named(finish):
    run = finish("a", 1)
    value = json.loads(run.config.read_text())
    del value["evaluation"]["search"]["rollouts"]
    value["evaluation"]["search"]["walks"] = 3
    run.config.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"a/config.json: not a config of this version of rstar_jax .*walks"):
        settings_of(run)


def test_a_search_that_needs_the_truth_is_refused(finish, config):
    truth = dataclasses.replace(config.evaluation.search, terminal="truth")
    run = finish("a", 1, evaluation=dataclasses.replace(config.evaluation, search=truth))
    with pytest.raises(InputError, match="ground truth, which nobody has here"):
        settings_of(run)


def test_flags_change_what_they_name(finish):
    settings = settings_of(finish("a", 1))
    assert changed(settings, ModelFlags()) == settings
    found = changed(settings, ModelFlags(temperature=0.5, context=256, memory_fraction=0.1, require_sandbox=True))
    assert found.sampling == dataclasses.replace(settings.sampling, temperature=0.5)
    assert (found.engine.max_length, found.scoring.max_length, found.engine.memory_fraction) == (256, 256, 0.1)
    assert found.executor.require_sandbox


def test_impossible_flags_are_input_errors(tmp_path, finish):
    finish("a", 1)
    with pytest.raises(InputError, match="impossible value: impossible sampling"):
        models_of(ModelFlags(runs=tmp_path / "runs", temperature=-1))
