"""Both commands as processes, with real models of a finished run, asked by the real client and a real harness."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BIGRAM_RUN = ROOT / "tests" / "thinking" / "bigram_run.py"
QUESTIONS = [f"What is {number} + {number}?" for number in range(64)]
EFFORT = {"n_rollouts": 2, "candidates": 3, "n_trajectories": 2}
COMMAND_LINE = ("--rollouts", "2", "--candidates", "3", "--trajectories", "2")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Where a person stands who has made one run of the built-in example."""
    spec = importlib.util.spec_from_file_location("bigram_run", BIGRAM_RUN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("example")
    module.write_run(folder / "runs" / "tiny")
    return folder


@pytest.fixture(scope="module")
def server(folder, process):
    started = process([sys.executable, "-m", "rstar_jax.serve", "--port", "0"], folder)
    yield started
    started.close()


def solve(*arguments: str, folder: pathlib.Path, **options: Any) -> subprocess.Popen[str]:
    """Started; the server has compiled what it needs."""
    return subprocess.Popen(
        [sys.executable, "-m", "rstar_jax.solve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=folder,
        **options,
    )


def ask(client, question: str, stream: bool = False, **fields: Any):
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.create(
        model="rstar", messages=messages, stream=stream, extra_body=EFFORT | fields
    )


def said(found: Any) -> tuple[Any, ...]:
    """What has to be the same each time. Scores may differ in their last bits on some CPUs."""
    search = found if isinstance(found, dict) else found.search
    texts = tuple(step["text"] for step in search["steps"])
    votes = tuple((one["answer"], one["votes"]) for one in search["alternatives"])
    score = search["score"] and round(search["score"], 4)
    return search["answer"], score, texts, votes, search["tokens"], search["nodes"]


def test_the_client_gets_a_solution_and_the_newest_run_is_named(server):
    assert any("those of round 4 of the newest finished run, runs/tiny" in line for line in server.log)
    with server.client() as client:
        found = ask(client, "What is 1 + 1?")
        pieces = list(ask(client, "What is 1 + 1?", stream=True))
    content = found.choices[0].message.content
    assert re.fullmatch(
        r"<code>\nx =(\d) # a number<end_of_step>\nprint\(x\) # once more<end_of_code>\n<output>\1<end_of_output>\n"
        r"<answer>It is \\boxed\{\d\}\.<end_of_answer>",
        content,
    )
    assert found.search["answer"] in content
    assert all(-1 < step["score"] < 1 for step in found.search["steps"])
    assert found.usage.prompt_tokens > len("What is 1 + 1?") / 2
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == content
    assert said(pieces[-1].search) == said(found)


@pytest.mark.parametrize("effort", [{"n_rollouts": 1}, pytest.param({"n_trajectories": 3}, marks=pytest.mark.slow)])
def test_64_at_once_are_answered_as_one_by_one(server, effort):
    async def together():
        async with server.asynchronous() as client:
            return await asyncio.gather(*(ask(client, question, **effort) for question in QUESTIONS))

    crowd = [said(found) for found in asyncio.run(together())]
    with server.client() as client:
        assert crowd == [said(ask(client, question, **effort)) for question in QUESTIONS]
    assert len({(answer, texts) for answer, _, texts, *_ in crowd}) > 10


def test_max_tokens_limit_the_solution_and_not_the_search(server):
    with server.client() as client:
        short = ask(client, "What is 1 + 1?", max_tokens=12)
        enough = ask(client, "What is 1 + 1?", max_tokens=100)
        whole = ask(client, "What is 1 + 1?")
    assert (short.choices[0].finish_reason, short.search["answer"]) == ("length", None)
    assert short.search["solution_tokens"] <= 12 < short.usage.completion_tokens
    assert said(enough) == said(whole)
    assert 12 < whole.search["solution_tokens"] < 100


def test_a_question_that_fills_the_context(server):
    with server.client() as client, pytest.raises(Exception, match="the context holds 192") as caught:
        ask(client, "why " * 300)
    assert caught.value.code == "context_length_exceeded"


def test_solve_says_what_the_server_says(server, folder):
    lines = "".join(f"{question}\n" for question in QUESTIONS[:3])
    process = solve("-", *COMMAND_LINE, "--json", folder=folder, stdin=subprocess.PIPE)
    out, words = process.communicate(lines, timeout=300)
    assert process.returncode == 0, words
    assert "no --model is named" in words
    with server.client() as client:
        assert [said(json.loads(line)) for line in out.splitlines()] == [said(ask(client, q)) for q in QUESTIONS[:3]]


def test_ctrl_c_ends_with_the_best_so_far(server, folder):
    process = solve("What is 1 + 1?", "--trajectories", "200", folder=folder)
    for line in process.stderr:
        if ", best " in line:
            break
    process.send_signal(signal.SIGINT)
    out, words = process.communicate(timeout=120)
    assert process.returncode == 130, words
    assert re.search(r"^What is 1 \+ 1\?\n\nAnswer: \d    \(PPM [+-]0\.\d+, \d+ of \d+ solutions?\)\n", out)
    assert out.endswith("; stopped\n\n")
    assert "Traceback" not in words


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("lm_eval") is None, reason="needs lm_eval on the path, in an environment of its own")
def test_a_harness_evaluates_the_server(server, tmp_path):
    """lm_eval with its stock client for chat completions and a local task; its exact match is what the client sees."""
    with server.client() as client:
        answers = [ask(client, question).search["answer"] for question in QUESTIONS[:12]]
    truths = [answer if number % 3 else "9" for number, answer in enumerate(answers)]
    rows = [{"question": question, "answer": truth} for question, truth in zip(QUESTIONS[:12], truths, strict=True)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "boxed.yaml").write_text(TASK.format(rows=tmp_path / "rows.jsonl", **EFFORT))
    model = f"model=rstar,base_url={server.address}/chat/completions,num_concurrent=8"
    command = ["lm_eval", "--model", "local-chat-completions", "--model_args", model, "--tasks", "boxed"]
    command += ["--include_path", tmp_path, "--apply_chat_template", "--output_path", tmp_path / "out"]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, env=offline, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    [results] = (tmp_path / "out").rglob("results*.json")
    assert json.loads(results.read_text())["results"]["boxed"]["exact_match,boxed"] == pytest.approx(8 / 12)


TASK = r"""
task: boxed
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: [], max_gen_toks: 192, seed: 0, n_rollouts: {n_rollouts}, candidates: {candidates},
  n_trajectories: {n_trajectories}}}
filter_list:
  - name: boxed
    filter:
      - {{function: regex, regex_pattern: '\\boxed\{{(.*?)\}}', group_select: -1}}
      - {{function: take_first}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
