"""Other libraries that fine-tune the same weights: what `training.py` compares our step with.

`Tunix`: its `PeftTrainer` on all parameters, its own Qwen2, its default loss (all logits of a call at once).
`Transformers`: its `Trainer` on torch, scaled-dot-product attention, fused AdamW, one thread a core. Solutions are
sorted by length within a step and padded on the right, where a causal model needs no mask, which gives attention its
fast path; `packed` is its `DataCollatorWithFlattening`: the solutions of a call in one row.

Both make a step of several calls. The Trainer adds their gradients up by tokens; Tunix takes a mean over calls, so its
loss has a weight for each call that makes it the same.

    pip install -e .[peers]
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from peers import make_tunix, to_transformers, transformers_config
from training_ours import Contender, Done, Rows, Solutions, Way, calls_per_step, padded, sft_rows

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.training.optimizer import TrainConfig

IGNORED = -100  # torch: a label that is no target
NEEDS = {"tunix": ("tunix",), "transformers": ("torch", "accelerate")}


def missing_packages() -> list[str]:
    return [name for needs in NEEDS.values() for name in needs if importlib.util.find_spec(name) is None]


def find_peers(
    model: ModelConfig,
    params: Params,
    config: TrainConfig,
    ways: dict[str, Sequence[Way]],
    batches: Sequence[Solutions],
    folder: str,
) -> list[Contender]:
    """Those that are installed. `ways`: what each may try; `folder`: for what a trainer wants to write."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # else torch spins, while others have the cores
    missing, host = missing_packages(), jax.tree.map(np.asarray, params)
    found: list[Contender] = []
    if not set(NEEDS["tunix"]) & set(missing):
        found.append(Tunix(model, host, config, ways["tunix"], batches))
    if not set(NEEDS["transformers"]) & set(missing):
        found.append(Transformers(model, host, config, ways["transformers"], batches, folder))
    return found


class Tunix:
    """Rows of one shape, as many in a call as the way says."""

    name = "tunix"

    def __init__(
        self,
        model: ModelConfig,
        params: Params,
        config: TrainConfig,
        ways: Sequence[Way],
        batches: Sequence[Solutions],
    ):
        self.ways, self._model, self._params, self._config, self._batches = ways, model, params, config, batches

    def begin(self, way: Way) -> None:
        """A new trainer: the step that it compiles is bound to its weights."""
        from tunix.sft.peft_trainer import PeftTrainer, TrainingConfig

        c = self._config
        adamw = optax.adamw(c.learning_rate, c.b1, c.b2, c.eps, weight_decay=c.weight_decay, mask=_matrices)
        optimizer = optax.chain(optax.clip_by_global_norm(c.clip_norm), adamw)
        self._way, self._calls = way, calls_per_step(self._batches, way)
        calls = self._calls if self._calls > 1 else None
        how = TrainingConfig(eval_every_n_steps=1 << 30, gradient_accumulation_steps=calls)
        self._trainer: Any = PeftTrainer(make_tunix(self._model, self._params), optimizer, how)
        self._trainer.is_managed_externally = True  # else it is closed when its data end
        mean, self._losses = self._trainer.loss_fn, []

        def weighted(model: Any, weight: Any, input_tokens: Any, input_mask: Any, positions: Any, attention_mask: Any):
            loss = weight * mean(model, input_tokens, input_mask, positions, attention_mask)
            return loss, loss

        self._trainer.with_loss_fn(weighted, has_aux=True).with_gen_model_input_fn(_tunix_input)
        self._trainer._post_process_train_step = self._losses.append

    def train(self, batches: Sequence[Solutions]) -> Done:
        calls = [call for batch in batches for call in self._calls_of(batch)]
        self._losses.clear()
        start = time.perf_counter()
        self._trainer.train(calls)
        losses = np.mean(np.reshape([float(loss) for loss in self._losses], (len(batches), -1)), axis=1)
        jax.block_until_ready(jax.tree.leaves(nnx.state(self._trainer.optimizer)))
        return Done(losses.tolist(), time.perf_counter() - start)

    def _calls_of(self, batch: Solutions) -> list[Rows]:
        """Its mean over calls does not know that some have more targets: their weights do."""
        count, rows = self._way.at_once, padded(sft_rows(batch, self._way), self._calls * self._way.at_once)
        calls = [{name: array[i * count :][:count] for name, array in rows.items()} for i in range(self._calls)]
        targets = np.array([call["loss_mask"].sum() for call in calls])
        weights = (len(calls) * targets / targets.sum()).astype(np.float32)
        return [call | {"weight": weight} for call, weight in zip(calls, weights, strict=True)]


def _matrices(params: Any) -> Any:
    """What weight decay acts on; norms and biases have one axis in Tunix."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _tunix_input(rows: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """What its default loss wants; with this mask and these positions its rows may hold several solutions."""
    positions, segments = rows["positions"], rows["segments"]
    same = (segments[:, :, None] == segments[:, None, :]) & (segments[:, :, None] > 0)
    return {
        "input_tokens": rows["tokens"],
        "input_mask": rows["loss_mask"],
        "weight": rows["weight"],
        "positions": positions,
        "attention_mask": same & (positions[:, :, None] >= positions[:, None, :]),
    }


class Transformers:
    """Solutions as lists of ids; as many in a call as the way says."""

    name = "transformers"

    def __init__(
        self,
        model: ModelConfig,
        params: Params,
        config: TrainConfig,
        ways: Sequence[Way],
        batches: Sequence[Solutions],
        folder: str,
    ):
        import torch
        import transformers

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        transformers.logging.set_verbosity_error()
        self.ways, self._config, self._size, self._folder = ways, config, len(batches[0]), folder
        self._torch, self._library = torch, transformers
        self._model: Any = transformers.Qwen2ForCausalLM(transformers_config(model))
        self._first = {name: torch.from_numpy(np.array(leaf)) for name, leaf in to_transformers(model, params).items()}

    def begin(self, way: Way) -> None:
        c, library = self._config, self._library
        self._model.load_state_dict(self._first)
        how = library.TrainingArguments(
            self._folder,
            per_device_train_batch_size=way.at_once,
            gradient_accumulation_steps=self._size // way.at_once,
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            learning_rate=c.learning_rate,
            lr_scheduler_type="constant",
            weight_decay=c.weight_decay,
            adam_beta1=c.b1,
            adam_beta2=c.b2,
            adam_epsilon=c.eps,
            max_grad_norm=c.clip_norm,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=True,
        )
        collate = library.DataCollatorWithFlattening() if way.layout == "packed" else self._padded
        self._trainer: Any = library.Trainer(self._model, how, data_collator=collate)
        self._trainer.remove_callback(library.PrinterCallback)

    def train(self, batches: Sequence[Solutions]) -> Done:
        in_order = [one for batch in batches for one in sorted(batch, key=lambda one: len(one.tokens))]
        self._trainer.train_dataset = [
            {"input_ids": one.tokens, "labels": np.where(one.targets, one.tokens, IGNORED).tolist()} for one in in_order
        ]
        start = time.perf_counter()
        self._trainer.train()
        seconds = time.perf_counter() - start
        return Done([line["loss"] for line in self._trainer.state.log_history if "loss" in line], seconds)

    def _padded(self, solutions: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
        length = max(len(solution["input_ids"]) for solution in solutions)
        filled = {
            name: [solution[name] + [pad] * (length - len(solution[name])) for solution in solutions]
            for name, pad in (("input_ids", 0), ("labels", IGNORED))
        }
        return {name: self._torch.tensor(rows) for name, rows in filled.items()}
