"""The proposer against the server that `transformers` brings, with a tiny model of random weights.

Needs `pip install torch "transformers[serving]"`; without them it is skipped.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.bootstrap import few_shot
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig, OpenAIProposer
from rstar_jax.evolution.bootstrap.server import Limits
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path, Proposal

T = TypeVar("T")
NEEDED = ("torch", "fastapi", "uvicorn", "openai")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
START_S = 180.0
PATH = Path(Problem("p1", "What is 1 + 1?", "2"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"transformers serve needs {', '.join(MISSING)}"),
]


def make_model(folder: pathlib.Path) -> None:
    """A Qwen2 of two layers whose tokenizer is trained on the prompt's own demonstrations."""
    import tokenizers
    import torch
    import transformers

    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(few_shot.DEMONSTRATIONS, trainer)
    # The closing tag as a token, so that a random model stops at it now and then.
    backend.add_tokens(["<end_of_step>"])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = transformers.Qwen2ForCausalLM(config)
    model.generation_config = transformers.GenerationConfig(
        do_sample=True, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: pathlib.Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except OSError:
            words = log.read_text(errors="replace")[-2000:]
            assert process.poll() is None, f"transformers serve ended:\n{words}"
            assert time.monotonic() < deadline, f"transformers serve does not answer:\n{words}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny-qwen2")
    make_model(folder)
    return str(folder)


@pytest.fixture(scope="module")
def address(model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("serve")
    port = free_port()
    main = "from transformers.cli.transformers import main; main()"
    command = [sys.executable, "-c", main, "serve", model, "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--device", "cpu"], stdout=log, stderr=subprocess.STDOUT, env=environment
        )
    try:
        wait_until_healthy(process, port, folder / "log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=30)


def use(config: OpenAIConfig, work: Callable[[OpenAIProposer], Coroutine[Any, Any, T]]) -> T:
    async def once() -> T:
        async with OpenAIProposer(config) as proposer:
            return await work(proposer)

    return asyncio.run(once())


def settings(address: str, model: str, **fields: Any) -> OpenAIConfig:
    # One request at a time: this server's seed is global, so requests that meet disturb each other.
    limits = Limits(concurrent=1, request_s=120, total_s=120)
    return OpenAIConfig(address, model, limits=limits, **{"max_tokens": 16, **fields})


def test_check_passes(address: str, model: str) -> None:
    use(settings(address, model), lambda proposer: proposer.check())


def test_wrong_model_is_a_sentence(address: str) -> None:
    with pytest.raises(InputError, match="Server is pinned to") as caught:
        use(settings(address, "another"), lambda proposer: proposer.check())
    assert "\n" not in str(caught.value)


def test_candidates_differ_and_come_back_with_the_same_key(address: str, model: str) -> None:
    async def thrice(proposer: OpenAIProposer) -> list[list[Proposal]]:
        return [await proposer.propose(PATH, 3, key) for key in (5, 5, 6)]

    first, again, other = use(settings(address, model, temperature=1.0), thrice)
    assert len({proposal.text for proposal in first}) == 3
    assert first == again
    assert first != other
    assert all(0 < proposal.n_tokens <= 16 for proposal in first)


def test_steps_end_with_their_tag(address: str, model: str) -> None:
    config = settings(address, model, temperature=1.0, max_tokens=256)
    proposals = use(config, lambda proposer: proposer.propose(PATH, 12, 5))
    finished = [proposal for proposal in proposals if proposal.finish == "stop"]
    assert finished, "none of 12 random generations met a stop string within 256 tokens"
    assert all(proposal.text.endswith("<end_of_step>") for proposal in finished)
    assert all(proposal.text.count("<end_of_step>") == 1 for proposal in finished)


def test_the_solution_so_far_is_continued(address: str, model: str) -> None:
    """Greedy decoding: the same path gives the same step, another path another one."""
    config = settings(address, model, temperature=0.0)
    longer = PATH.child("<code>\nx = 1\n<end_of_step>")

    async def thrice(proposer: OpenAIProposer) -> list[list[Proposal]]:
        return [await proposer.propose(path, 1, 5) for path in (PATH, PATH, longer)]

    first, again, other = use(config, thrice)
    assert first == again
    assert first != other


def test_chat_endpoint(address: str, model: str) -> None:
    config = settings(address, model, endpoint="chat")
    [proposal] = use(config, lambda proposer: proposer.propose(PATH, 1, 5))
    assert proposal.text
    assert proposal.n_tokens > 0
