r"""A server that speaks OpenAI's chat completions; each answer is found by search with policy and PPM.

    python -m rstar_jax.serve --model POLICY --ppm PPM
    curl http://127.0.0.1:8000/v1/chat/completions -H "Content-Type: application/json" \
        -d '{"model": "rstar", "messages": [{"role": "user", "content": "What is 12 * 34?"}], "n_rollouts": 8}'

POLICY and PPM are folders or Hub ids; without them the newest finished run of the built-in example answers. It asks
nobody who they are, so it listens on 127.0.0.1 unless told otherwise. README.md says what the fields mean.
"""

from __future__ import annotations

import asyncio
import dataclasses

import tyro

from rstar_jax.errors import InputError
from rstar_jax.models.sharding import make_mesh
from rstar_jax.search.config import SearchConfig
from rstar_jax.serve.app import make_app
from rstar_jax.serve.limits import Limits
from rstar_jax.serve.process import bind, serve
from rstar_jax.serve.service import Service
from rstar_jax.thinking.flags import ModelFlags, keep_compiled, models_of
from rstar_jax.thinking.system import open_system
from rstar_jax.thinking.thought import Effort, with_effort
from rstar_jax.thinking.view import note


@dataclasses.dataclass(frozen=True)
class Flags(ModelFlags):
    """Where it listens, who answers, and what a request may have."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: any that is free
    name: str = "rstar"  # of the model, for clients
    effort: tyro.conf.OmitArgPrefixes[Effort] = Effort()  # where a request does not say
    limits: Limits = Limits()
    grace: float = 5.0  # seconds that searches under way have after SIGTERM, before they end with the best so far


async def run(flags: Flags) -> int:
    models = models_of(flags)
    check_effort(flags.effort, models.settings.search, flags.limits)
    closing = asyncio.Event()
    with bind(flags.host, flags.port) as sock:
        async with open_system(models, make_mesh(*flags.mesh), note) as system:
            app = make_app(Service(system, flags.name, flags.effort, flags.limits, closing, note))
            return await serve(app, sock, closing, flags.grace, note)


def check_effort(effort: Effort, search: SearchConfig, limits: Limits) -> None:
    """Raises InputError: a request that says nothing would get more than one may have."""
    usual = with_effort(search, effort)
    for name, own, most in (
        ("rollouts", usual.rollouts, limits.rollouts),
        ("candidates", usual.candidates, limits.candidates),
        ("trajectories", effort.trajectories, limits.trajectories),
    ):
        if own > most:
            raise InputError(f"{own} {name} by default, but a request may have {most} at most (--limits.{name})")


def go() -> int:
    flags = tyro.cli(Flags, prog="python -m rstar_jax.serve", description=__doc__)
    keep_compiled(flags)
    return asyncio.run(run(flags))
