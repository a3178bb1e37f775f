"""Tokens on disk: the same rows as in memory, whole or absent, and of the data that they say."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from rstar_jax.datasets import tokenise
from rstar_jax.datasets.packed import Packed, PackedData
from rstar_jax.datasets.packing import pack_sft, tokenise_sft
from rstar_jax.datasets.pair_packing import group_pairs, pack_pairs
from rstar_jax.datasets.tokenise import TokeniseConfig, neighbours, tokenise_files
from rstar_jax.errors import InputError
from rstar_jax.trajectory.tokenizer import Tokenizer, train_tokenizer

HERE = pathlib.Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("released_rows", HERE / "released_rows.py")
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)

SFT_ROWS = [made.sft_row(number) for number in range(300)]
PAIR_ROWS = [made.pair_row(number) for number in range(400)]
POLICY = TokeniseConfig("policy", row_length=800)
PPM = TokeniseConfig("ppm", row_length=160)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([row["response"] for row in SFT_ROWS], 320)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, pathlib.Path]:
    folder = tmp_path_factory.mktemp("data")
    (folder / "sft.json").write_text(json.dumps(SFT_ROWS))
    (folder / "pairs.json").write_text(json.dumps(PAIR_ROWS))
    return {"policy": folder / "sft.json", "ppm": folder / "pairs.json"}


def assert_same(stored: PackedData, packed: Packed) -> None:
    assert (stored.n_rows, stored.examples, stored.dropped) == (packed.n_rows, packed.examples, packed.dropped)
    assert stored.fill == pytest.approx(packed.fill)
    for indices in (np.arange(packed.n_rows), np.asarray([3, -1, 0, 3])):
        found, wanted = stored.rows(indices), packed.rows(indices)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype, name
            np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("length", [800, 300])
def test_solutions_on_disk_are_those_in_memory(tmp_path, files, tokenizer, length: int) -> None:
    config = dataclasses.replace(POLICY, row_length=length, seed=3, output_in_loss=True)
    stored = tokenise_files([files["policy"]], tmp_path / "tokens", tokenizer, config).train
    packed = pack_sft(tokenise_sft(SFT_ROWS, tokenizer, output_in_loss=True), length, seed=3)
    assert packed.n_rows > 10
    assert (packed.dropped > 0) == (length == 300)
    assert_same(stored, packed)


@pytest.mark.parametrize("length", [400, 140, 120])
def test_pairs_on_disk_are_those_in_memory(tmp_path, files, tokenizer, length: int) -> None:
    config = dataclasses.replace(PPM, row_length=length)
    stored = tokenise_files([files["ppm"]], tmp_path / "tokens", tokenizer, config).train
    packed = pack_pairs(group_pairs(PAIR_ROWS, tokenizer), length)
    assert packed.n_rows > 10
    assert_same(stored, packed)


def test_only_neighbours_form_a_group_and_no_weight_changes(tmp_path, tokenizer, monkeypatch) -> None:
    apart = PAIR_ROWS[:40:2] + PAIR_ROWS[1:40:2]
    assert [len(members) for members in neighbours(PAIR_ROWS[:40])] == [4] * 10
    assert [len(members) for members in neighbours(apart)] == [2] * 20
    assert len(list(neighbours([PAIR_ROWS[0]] * 200))) == 4  # however long a run of one prompt is
    (tmp_path / "rows.json").write_text(json.dumps(apart))
    stored = tokenise_files([tmp_path / "rows.json"], tmp_path / "tokens", tokenizer, PPM).train
    weights = stored.rows(np.arange(stored.n_rows))["pair_weights"]
    assert weights[weights > 0].tolist() == [0.25] * 40


@pytest.mark.parametrize("config", [POLICY, PPM], ids=["policy", "ppm"])
def test_no_problem_is_on_both_sides(tmp_path, files, tokenizer, config: TokeniseConfig) -> None:
    config = dataclasses.replace(config, held_out=0.3)
    data = tokenise_files([files[config.job]], tmp_path / "tokens", tokenizer, config)
    sides = []
    for side in (data.train, data.held_out):
        rows = side.rows(np.arange(side.n_rows))
        texts = [tokenizer.decode(row[row > 0].tolist()) for row in rows["tokens"]]
        sides.append({part.split("?")[0].split(":")[0] for text in texts for part in text.split("Problem ")[1:]})
    assert all(sides)
    assert not sides[0] & sides[1]
    n_rows = len(SFT_ROWS) if config.job == "policy" else len(PAIR_ROWS)
    assert sum(side.examples + side.dropped for side in (data.train, data.held_out)) == n_rows


def test_finished_tokens_are_not_made_again(tmp_path, files, tokenizer, monkeypatch) -> None:
    first = tokenise_files([files["policy"]], tmp_path / "tokens", tokenizer, POLICY)
    monkeypatch.setattr(tokenise, "tokenised", None)
    again = tokenise_files([files["policy"]], tmp_path / "tokens", tokenizer, POLICY)
    assert again.train.fingerprint() == first.train.fingerprint()


def test_tokens_of_other_data_tokenizer_or_settings_are_refused(tmp_path, files, tokenizer) -> None:
    folder = tmp_path / "tokens"
    made_first = tokenise_files([files["policy"]], folder, tokenizer, POLICY).train
    (tmp_path / "fewer.json").write_text(json.dumps(SFT_ROWS[:-1]))
    with pytest.raises(InputError, match=r"its data differ"):
        tokenise_files([tmp_path / "fewer.json"], folder, tokenizer, POLICY)
    with pytest.raises(InputError, match=r"its tokenizer differ"):
        tokenise_files([files["policy"]], folder, train_tokenizer([], 300), POLICY)
    with pytest.raises(InputError, match=r"its row_length, seed differ"):
        tokenise_files([files["policy"]], folder, tokenizer, TokeniseConfig("policy", 200, seed=1))
    fewer = tokenise_files([tmp_path / "fewer.json"], tmp_path / "other", tokenizer, POLICY).train
    assert fewer.fingerprint() != made_first.fingerprint()


def test_a_bad_row_leaves_nothing_behind(tmp_path, tokenizer) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([*SFT_ROWS, {"query": "Q"}]))
    with pytest.raises(InputError, match=r'rows.json, row 301: no "response"'):
        tokenise_files([file], tmp_path / "run" / "tokens", tokenizer, POLICY)
    assert list((tmp_path / "run").iterdir()) == []


def test_all_too_long_is_no_row_and_all_counted(tmp_path, files, tokenizer) -> None:
    config = dataclasses.replace(PPM, row_length=5)
    data = tokenise_files([files["ppm"]], tmp_path / "tokens", tokenizer, config)
    assert (data.train.n_rows, data.train.examples, data.train.dropped) == (0, 0, len(PAIR_ROWS))
    assert data.train.fill == data.held_out.n_rows == 0


def alone(job: str, file: pathlib.Path, folder: pathlib.Path, tokenizer: Tokenizer) -> list[str]:
    """The command of `tokenise_alone.py`."""
    model = file.parent / "tokenizer"
    tokenizer.save(model)
    return [sys.executable, str(HERE / "tokenise_alone.py"), job, str(file), str(folder), str(model)]


def test_a_killed_run_is_cleared_away_and_done_again(tmp_path, tokenizer) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(SFT_ROWS * 30))
    folder = tmp_path / "run" / "tokens"
    killed = subprocess.Popen(alone("policy", tmp_path / "rows.json", folder, tokenizer))
    while not any(tmp_path.glob("run/tokens.tmp-*/train/tokens.bin")):
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not folder.exists()
    config = TokeniseConfig("policy", 1024, held_out=0.1)
    stored = tokenise_files([tmp_path / "rows.json"], folder, tokenizer, config).train
    assert [path.name for path in folder.parent.iterdir()] == ["tokens"]
    undisturbed = tokenise_files([tmp_path / "rows.json"], tmp_path / "other", tokenizer, config).train
    assert stored.fingerprint() == undisturbed.fingerprint()


@pytest.mark.slow
@pytest.mark.parametrize("job", ["policy", "ppm"])
def test_memory_does_not_grow_with_the_file(tmp_path, tokenizer, job: str) -> None:
    row = made.sft_row if job == "policy" else made.pair_row
    file = tmp_path / "rows.json"
    with file.open("w") as out:
        out.write("[" + json.dumps(row(0)))
        number = 0
        while out.tell() < 60_000_000:
            number += 1
            out.write(",\n" + json.dumps(row(number)))
        out.write("]")
    command = alone(job, file, tmp_path / "tokens", tokenizer)
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 40_000_000
