"""Prints mean annealed importance weights beside TFP's, where 1 is exact.

    python scripts/compare_tfp.py

Both anneal from N(0, I) to N(1, I / 2) in 20 dimensions, with the same linear schedules, step size
and leapfrog steps. TFP's `sample_annealed_importance_chain` is biased: each of its moves starts
from the log density and gradient that the move before cached, which are those of the previous
temperature. So it kicks with the wrong force, and accepts by the wrong energy.
"""

from absl import flags

from zoo.runs import cli

NUM_CHAINS = flags.DEFINE_integer("num_chains", 4096, "Chains of each.")
NUM_INCREMENTS = flags.DEFINE_multi_integer("num_increments", [10, 100, 1000], "Temperatures.")
STEP_SIZE = flags.DEFINE_float("step_size", 0.3, "Of every move, which is 5 leapfrog steps long.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of all draws.")

if __name__ == "__main__":
    cli.parse()

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.core.checks import check_count, check_positive


def main() -> None:
    check_positive(step_size=STEP_SIZE.value)
    for num_increments in NUM_INCREMENTS.value:
        check_count(num_chains=NUM_CHAINS.value, num_increments=num_increments)
    print(f"{'increments':<10}  {'ours':>18}  {'TFP':>18}")
    for num_increments in NUM_INCREMENTS.value:
        seed = samplers.fold_in(SEED.value, num_increments)
        z = samplers.normal([NUM_CHAINS.value, 20], samplers.fold_in(seed, "start"))
        runs = (np.exp(np.float64(anneal(z, num_increments, seed))) for anneal in (ours, tfps))
        told = (f"{w.mean():.4f} +- {w.std() / len(w) ** 0.5:.4f}" for w in runs)
        print(f"{num_increments:<10}" + "".join(f"  {text:>18}" for text in told), flush=True)


def log_normal(mean, variance):
    return lambda z: (
        -0.5 * tf.reduce_sum((z - mean) ** 2 / variance + np.log(2 * np.pi * variance), -1)
    )


INITIAL, FINAL = log_normal(0.0, 1.0), log_normal(1.0, 0.5)


def ours(z, num_increments, seed):
    """Log weights by `samplers`."""
    anneal = tf.function(samplers.annealed_importance_sampling, jit_compile=True, autograph=False)
    schedule, move = samplers.linear_schedule(num_increments), samplers.hamiltonian_move(5)
    run = anneal(INITIAL, FINAL, z, schedule, move=move, step_size=STEP_SIZE.value, seed=seed)
    return run.log_weights


@tf.function(jit_compile=True, autograph=False)
def tfps(z, num_increments, seed):
    """Log weights by `tfp.mcmc`."""
    _, log_weights, _ = tfp.mcmc.sample_annealed_importance_chain(
        num_increments,
        INITIAL,
        FINAL,
        z,
        lambda log_prob: tfp.mcmc.HamiltonianMonteCarlo(
            log_prob, step_size=STEP_SIZE.value, num_leapfrog_steps=5
        ),
        seed=seed,
    )
    return log_weights


if __name__ == "__main__":
    cli.run(main)
