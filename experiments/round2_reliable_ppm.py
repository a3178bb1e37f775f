"""Round 2: the first policy searches; its Q-values train the first reliable PPM (section 3.4.2).

    python experiments/round2_reliable_ppm.py --config cpu --run-dir runs/cpu

16 rollouts of SLM-r1, Q still guided by terminal answers only (Eq. 2).
"""

from common import main

from rstar_jax.evolution import stages
from rstar_jax.evolution.evaluations import evaluate_round
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.search_stage import search_problems


async def run(lab: Lab) -> None:
    this = lab.config.rounds[1]
    await search_problems(lab, this)
    stages.build_data(lab, this)
    stages.fit_policy(lab, this)
    stages.fit_ppm(lab, this)
    await evaluate_round(lab, this.number)


if __name__ == "__main__":
    main(run, __doc__)
