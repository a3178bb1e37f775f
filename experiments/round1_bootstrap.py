"""Round 1: a large model searches, so that the small one learns the format (section 3.4.2).

    python experiments/round1_bootstrap.py --config cpu --run-dir runs/cpu

8 rollouts of 5 candidates, Q guided by terminal answers only. The PPM of this round is trained too, but it is weak and
no search uses it.
"""

from common import main

from rstar_jax.evolution import stages
from rstar_jax.evolution.evaluations import evaluate_round
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.search_stage import search_problems


async def run(lab: Lab) -> None:
    this = lab.config.rounds[0]
    await search_problems(lab, this)
    stages.build_data(lab, this)
    stages.make_base(lab)
    stages.fit_policy(lab, this)
    stages.fit_ppm(lab, this)
    await evaluate_round(lab, this.number)


if __name__ == "__main__":
    main(run, __doc__)
