"""Times the chain of an HMC-DLGM against its floor: the bare gradients, in one compiled loop.

    python scripts/benchmark.py

Prints medians and quartiles of ratios over interleaved pairs of one process, and the peak memory of
one process per number of transitions. The step size is frozen, so that every transition has the
same number of leapfrog steps.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import resource
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from absl import flags

import samplers
import zoo
from samplers.density import value_and_gradient
from zoo import cli, data
from zoo.checks import UsageError, check_count

BATCH = flags.DEFINE_integer("batch_size", 250, "Images in a batch.")
LATENT = flags.DEFINE_integer("latent_dim", 64, "Latents.")
UNITS = flags.DEFINE_integer("units", 500, "Units of each of the two hidden layers.")
PIXELS = flags.DEFINE_integer("pixels", 784, "Pixels of an image.")
NUM_STEPS = flags.DEFINE_integer("num_steps", 5, "Transitions of the chain.")
LEAPFROG = flags.DEFINE_integer("num_leapfrog_steps", 10, "Leapfrog steps of a transition.")
PAIRS = flags.DEFINE_integer("pairs", 30, "Interleaved pairs.")
JIT = flags.DEFINE_boolean("jit_compile", True, "Whether XLA compiles.")
MEMORY = flags.DEFINE_list("memory", ["1", "5", "20"], "Transitions whose peak memory is measured.")
MEMORY_OF = flags.DEFINE_integer("memory_of", None, "Train so many transitions, print the peak.")


def main() -> None:
    counts = (BATCH, LATENT, UNITS, PIXELS, NUM_STEPS, LEAPFROG, PAIRS)
    check_count(**{flag.name: flag.value for flag in counts})
    if not all(m.isdecimal() and int(m) for m in MEMORY.value):
        raise UsageError(f"memory must be whole numbers greater than 0; it was {MEMORY.value}.")
    x = tf.cast(samplers.uniform([BATCH.value, PIXELS.value], 0) < 0.2, tf.float32)
    if MEMORY_OF.value is not None:
        step = train_step(build(zoo.HMCDLGM, num_steps=MEMORY_OF.value), x)
        for _ in range(5):
            step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    print(
        f"{NUM_STEPS.value} transitions of {LEAPFROG.value} leapfrog steps, batch {BATCH.value}, "
        f"decoder {LATENT.value}-{UNITS.value}-{UNITS.value}-{PIXELS.value}, "
        f"{'XLA' if JIT.value else 'graph'}; {PAIRS.value} pairs"
    )
    hmc_dlgm, vae = build(zoo.HMCDLGM, num_steps=NUM_STEPS.value), build(zoo.VAE)
    chain = chain_of(hmc_dlgm, x)
    report("chain / floor", pairs(chain, floor_of(hmc_dlgm, x)))
    vae_step = train_step(vae, x)
    report(
        "fit step / (chain + VAE step)",
        pairs(train_step(hmc_dlgm, x), lambda: (chain(), vae_step())),
    )
    peaks = {
        m: float(subprocess.check_output([*command(), f"--memory_of={m}"], text=True))
        for m in MEMORY.value
    }
    print("peak memory: " + ", ".join(f"M = {m}: {peak:.0f} MiB" for m, peak in peaks.items()))
    print(f"  largest / smallest {max(peaks.values()) / min(peaks.values()):.3f}")


def command():
    return [sys.executable, *sys.argv]


def build(method, **kwargs):
    """A model whose step size stays where it gives `num_leapfrog_steps`."""
    if method is zoo.HMCDLGM:
        step_size = 1.5 / (LEAPFROG.value - 0.5)
        kwargs |= {"step_size": step_size, "adaptation_rate": 1e-9}
    shape = (PIXELS.value,)
    facts = data.Data(None, None, None, shape, 0, {})
    model = method.for_data(
        facts, latent_dim=LATENT.value, hidden=(UNITS.value, UNITS.value), **kwargs
    )
    model.compile(jit_compile=JIT.value)
    return model


def train_step(model, x):
    """What one batch costs in `fit`."""
    step = tf.function(model.train_step, jit_compile=JIT.value, autograph=False)
    return lambda: step({"x": x})


def chain_of(model, x):
    """The chain alone, from the encoder's draw."""
    posterior = model.posterior(x)
    mean, scale = posterior.mean(), posterior.stddev()

    @tf.function(jit_compile=JIT.value, autograph=False)
    def chain(seed):
        start = type(posterior)(mean, scale)
        return model.refine(x, start, mean[None] + scale, seed).state

    return lambda: chain(samplers.as_seed(0))


def floor_of(model, x):
    """As many gradients of log p(x, z) as the chain takes, and nothing else."""
    z = model.posterior(x).mean()[None]

    @tf.function(jit_compile=JIT.value, autograph=False)
    def floor(num_gradients):
        def step(i, z):
            _, gradient = value_and_gradient(lambda z: model.log_joint(x, z), z)
            return i + 1, z + 1e-3 * gradient

        return tf.while_loop(lambda i, _: i < num_gradients, step, (0, z))[1]

    return lambda: floor(tf.constant(NUM_STEPS.value * LEAPFROG.value + 1))


def pairs(first, second):
    """Seconds of both, turn and turn about, after one call of each to compile: [pairs, 2]."""
    first(), second()
    return np.array([[seconds(first), seconds(second)] for _ in range(PAIRS.value)])


def seconds(function):
    start = time.perf_counter()
    tf.nest.map_structure(lambda t: t.numpy(), function())
    return time.perf_counter() - start


def report(title, times):
    low, median, high = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])
    milliseconds = 1e3 * np.median(times, axis=0)
    print(
        f"{title:<30} {median:.3f}  (quartiles {low:.3f} to {high:.3f}; "
        f"medians {milliseconds[0]:.1f} and {milliseconds[1]:.1f} ms)",
        flush=True,
    )


if __name__ == "__main__":
    cli.run(main)
