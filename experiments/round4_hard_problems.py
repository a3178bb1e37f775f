"""Round 4: more rollouts for what is still unsolved (section 3.4.2).

    python experiments/round4_hard_problems.py --config cpu --run-dir runs/cpu

Two trees with different seeds for every problem, 16 rollouts each by SLM-r3 and PPM-r3; while a problem is unsolved, 80
rollouts and then 128.
"""

from common import main

from rstar_jax.evolution import stages
from rstar_jax.evolution.evaluations import evaluate_round
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.search_stage import search_problems


async def run(lab: Lab) -> None:
    this = lab.config.rounds[3]
    await search_problems(lab, this)
    stages.build_data(lab, this)
    stages.fit_policy(lab, this)
    stages.fit_ppm(lab, this)
    await evaluate_round(lab, this.number)


if __name__ == "__main__":
    main(run, __doc__)
