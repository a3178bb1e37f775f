"""What a round makes of its search. Each stage finds out by itself what is there already, so a killed run is simply
started again.

    (search_stage.search_problems   trees of all training problems)
    build_data                      SFT rows and preference pairs from the trees
    make_base                       (once) tokenizer and base model
    fit_policy                      from the base model, always (appendix A.1)
    fit_ppm                         from the policy of the same round (section 3.4.1)
    (evaluations.evaluate_round     held-out problems, System 1 and System 2)

The last three train, which several processes may do together.
"""

from __future__ import annotations

import dataclasses
import pathlib

import jax

from rstar_jax.datasets.build import build
from rstar_jax.datasets.outcomes import by_problem
from rstar_jax.datasets.tokenise import Split, TokeniseConfig, tokenise_files
from rstar_jax.errors import InputError
from rstar_jax.evolution.base_model import PublishedBase, import_base, train_base
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.never_solved import write_never_solved
from rstar_jax.evolution.rounds import Round
from rstar_jax.evolution.search_stage import shards_of
from rstar_jax.files import read_jsonl, write_json
from rstar_jax.models.store import is_finished, load_model
from rstar_jax.search import shards
from rstar_jax.search.progress import say
from rstar_jax.training.hosts import first_alone
from rstar_jax.training.ppm import train_ppm
from rstar_jax.training.sft import train_policy
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import Tokenizer, train_tokenizer


def build_data(lab: Lab, round: Round) -> None:
    """SFT rows and preference pairs, with what was chosen and why; also which problems were left out or never solved.

    Raises InputError: the search is not over.
    """
    number, searched = round.number, lab.run.trees(round.number)
    if lab.run.has_data(number):
        return
    if not shards.is_over(searched, round.budget):
        raise InputError(f"{searched}: the search of round {number} is not over")
    left_out = shards.write_left_out(searched, shards_of(lab.config, lab.run, lab.problems[0], round))
    if left_out:
        say(f"round {number} search: {left_out:,} problems were left out, as the budget of the round is spent")
    trees = by_problem(shards.trees_of(searched))
    counts = build(trees, lab.run.data(number), lab.config.sft_rule, lab.config.pair_rule)
    never = write_never_solved(lab.run, number)
    figures = dataclasses.asdict(counts) | {"never_solved": never, "left_out": left_out}
    write_json(lab.run.data_counts(number), figures)
    say(
        f"round {number} data: {counts.sft_rows} SFT rows, {counts.pair_rows} pairs; "
        f"{never} problems that no round has solved so far (data/never_solved.jsonl)"
    )


def make_base(lab: Lab) -> None:
    """The base model: a published one, or a tokenizer learned from the questions and the bootstrap model's solutions,
    and a model trained with it."""
    base = lab.config.base
    if is_finished(lab.run.base):
        return
    if isinstance(base, PublishedBase):
        import_base(base, lab.config.engine.max_length, lab.run.base, lab.mesh)
        return
    rows = read_jsonl(lab.run.data(lab.config.rounds[0].number) / "sft.jsonl")
    questions = [problem.question for problem in lab.problems[0]]
    texts = [policy_prompt(question) for question in questions] + [row["response"] for row in rows]
    tokenizer = train_tokenizer(texts, base.vocab_size, superwords=True, digits=2)
    first_alone(lambda: _save(tokenizer, lab.run.base))
    train_base(questions, base, lab.model_config, lab.run.base, tokenizer)


def _save(tokenizer: Tokenizer, folder: pathlib.Path) -> None:
    if not (folder / "tokenizer.json").exists():
        tokenizer.save(folder)


def fit_policy(lab: Lab, round: Round) -> None:
    folder = lab.run.policy(round.number)
    if is_finished(folder):
        return
    config = _seeded(lab, lab.config.policy_training)
    settings = TokeniseConfig("policy", config.row_length, lab.config.output_in_loss, seed=config.seed)
    data = _tokenised(lab, round, [lab.run.data(round.number) / "sft.jsonl"], settings).train
    base = load_model(lab.run.base, lab.mesh)[1]
    train_policy(data, lab.model_config, folder, lab.tokenizer, init=base, config=config)


def fit_ppm(lab: Lab, round: Round) -> None:
    folder = lab.run.ppm(round.number)
    if is_finished(folder):
        return
    config = _seeded(lab, lab.config.ppm_training)
    files = [lab.run.data(number) / "pairs.jsonl" for number in lab.config.pair_rounds(round.number)]
    settings = TokeniseConfig("ppm", config.row_length, held_out=lab.config.ppm_held_out, seed=config.seed)
    data = _tokenised(lab, round, files, settings)
    train_ppm(
        data.train,
        lab.model_config,
        folder,
        lab.tokenizer,
        init=load_model(lab.run.policy(round.number), lab.mesh)[1],
        config=config,
        rule=lab.config.ppm_loss,
        head=lab.config.ppm_head,
        held_out=data.held_out if data.held_out.n_rows else None,
    )


def _tokenised(lab: Lab, round: Round, files: list[pathlib.Path], settings: TokeniseConfig) -> Split:
    """On disk, as millions of examples do not fit into memory. One process writes, the others read."""
    folder = lab.run.tokens(round.number, settings.job)
    return first_alone(lambda: tokenise_files(files, folder, lab.tokenizer, settings))


def _seeded(lab: Lab, config):
    return dataclasses.replace(config, seed=lab.config.seed)


def set_up_jax(cache: str | None) -> None:
    """Keep compiled programs between starts; must run before anything is compiled.

    A folder that JAX's own variable JAX_COMPILATION_CACHE_DIR names goes first.
    """
    named = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]  # it has no stubs
    if cache is not None and named is None:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
