"""The base model of a run: a published one, or for the built-in example a small decoder that the run trains first.

The paper's base models can read and quote text before they see a trajectory. A model from scratch cannot, and learning
that anew in every round would take most of a round's time. So the example makes its base once: it learns to quote
numbers and expressions from sentences. The corpus holds sentences of training questions with random numbers in them,
each followed by two quotations; no answers, no methods, no code, no trajectory format, and every round starts from it.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence
from typing import Literal

import jax
from jax.sharding import Mesh

from rstar_jax.datasets.packing import TokenisedSolution, pack_sft
from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.store import describe, load_base, save_model
from rstar_jax.training.loop import Task, train
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.sft import sft_loss
from rstar_jax.trajectory.tags import POLICY_TOKENS
from rstar_jax.trajectory.tokenizer import Tokenizer

_QUANTITY = re.compile(r"-?\d+(?:[.:]\d+)*")
_DIGITS = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True)
class BaseConfig:
    """documents: sentences with quotations in the corpus. vocab_size: of the tokenizer, tags included."""

    documents: int = 24_000
    vocab_size: int = 768
    train: TrainConfig = TrainConfig(epochs=1)


@dataclasses.dataclass(frozen=True)
class PublishedBase:
    """A base model that others have trained.

    Attributes:
      name: a folder or an id on the Hugging Face Hub. Its tokenizer gets the released tokens.
      weights: dtype in which weights are kept and trained; the released training has bfloat16, the paper says nothing.
      compute: dtype of the computation.
    """

    name: str
    weights: Literal["float32", "bfloat16"] = "float32"
    compute: Literal["float32", "bfloat16"] = "bfloat16"


def import_base(base: PublishedBase, max_length: int, folder: AnyPath, mesh: Mesh) -> None:
    """Leave a published model with its extended tokenizer in `folder`, as a model of this run.

    max_length: longest context that the run uses it for.

    Raises InputError: as `models.store.load_base`, or the model reads no contexts of that length.
    """
    longest = describe(base.name).config.max_length
    if max_length > longest:
        raise InputError(f"{base.name} reads {longest} tokens, not {max_length}")
    config, params, tokenizer = load_base(
        base.name, POLICY_TOKENS, mesh, weights=base.weights, compute=base.compute, max_length=max_length
    )
    save_model(folder, config, "lm", params, tokenizer)


def corpus(questions: Sequence[str], documents: int, seed: int) -> list[tuple[str, str]]:
    """Pairs (text to go on from, quotation); the same for the same arguments.

    Every sentence is quoted twice. In half of the documents the first quotation is flawed, and then only the second is
    to be learned: a second look must go by the sentence, not by the first.
    """
    rng = random.Random(seed)
    return [_document(rng.choice(questions), rng) for _ in range(documents)]


def _document(question: str, rng: random.Random) -> tuple[str, str]:
    def number(found: re.Match[str]) -> str:
        length = rng.randint(1, 4) if rng.random() < 0.3 else len(found.group())
        return "".join([rng.choice("123456789"), *(rng.choice("0123456789") for _ in range(length - 1))])

    sentence = _DIGITS.sub(number, question)
    first, second = _quotation(sentence, rng), _quotation(sentence, rng)
    if rng.random() < 0.5:
        return sentence, first + second
    return sentence + _flawed(first, rng), second


def _quotation(sentence: str, rng: random.Random) -> str:
    quantities = list(_QUANTITY.finditer(sentence))
    if rng.random() < 0.5:
        return "\n" + sentence[quantities[0].start() : quantities[-1].end()]
    return f"\n[{', '.join(found.group() for found in quantities)}]"


def _flawed(quotation: str, rng: random.Random) -> str:
    """The quotation with every fourth digit or so replaced."""
    return re.sub(r"\d", lambda d: rng.choice("0123456789") if rng.random() < 0.25 else d.group(), quotation)


def train_base(
    questions: Sequence[str],
    config: BaseConfig,
    model_config: ModelConfig,
    workdir: AnyPath,
    tokenizer: Tokenizer,
) -> Params:
    """Train the base on quotations and leave it in `workdir`; see `training.loop.train`."""
    documents = []
    for sentence, quotation in corpus(questions, config.documents, config.train.seed):
        prompt, response = tokenizer.encode(sentence), tokenizer.encode(quotation)
        targets = [False] * len(prompt) + [True] * len(response)
        documents.append(TokenisedSolution(prompt + response, targets))
    data = pack_sft(documents, config.train.row_length, config.train.seed)

    def loss(params: Params, batch: dict[str, jax.Array]):
        return sft_loss(model_config, params, batch, config.train.loss_chunk, config.train.remat)

    return train(config.train, model_config, None, data, Task("lm", loss), workdir, tokenizer=tokenizer)
