"""Times training by Markov chains against its floor: the bare gradients, in one compiled loop.

    python scripts/benchmark.py
    python scripts/benchmark.py --method=ais --rivals

Prints medians and quartiles of ratios over interleaved pairs of one process, and the peak memory of
one process per length of the chains. The methods are:

    hmc_dlgm  an HMC-DLGM, whose step size is frozen, so that every transition has the same number
              of leapfrog steps
    ais       an AIS-trained VAE; what its step takes beside the chains are two passes on the tape,
              the encoder's and the decoder's

With --rivals the training step of ais is timed against one in PyTorch, too.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import resource
import subprocess
import sys
import time
import types

import numpy as np
import tensorflow as tf
from absl import flags

import samplers
import zoo
from samplers.density import value_and_gradient
from zoo import cli, data
from zoo.checks import UsageError, check_count

METHODS = ("hmc_dlgm", "ais")
SIZES = {  # what the flag says, and its default for each method
    "batch_size": ("Images in a batch", 250, 128),
    "latent_dim": ("Latents", 64, 50),
    "units": ("Units of each of the two hidden layers", 500, 200),
    "pixels": ("Pixels of an image", 784, 784),
    "num_samples": ("Chains of an image, in ais", 1, 5),
    "num_steps": ("Transitions M of hmc_dlgm, increments T of ais", 5, 5),
    "num_leapfrog_steps": ("Leapfrog steps of a transition", 10, 5),
}
LENGTHS = {"hmc_dlgm": ("M", "transitions", [1, 5, 20]), "ais": ("T", "increments", [5, 20, 80])}

METHOD = flags.DEFINE_enum("method", "all", ["all", *METHODS], "What is timed.")
GIVEN = {
    name: flags.DEFINE_integer(
        name, None, f"{says}; by default " + ", ".join(map("{} for {}".format, default, METHODS))
    )
    for name, (says, *default) in SIZES.items()
}
PAIRS = flags.DEFINE_integer("pairs", 30, "Interleaved pairs.")
JIT = flags.DEFINE_boolean("jit_compile", True, "Whether XLA compiles.")
RIVALS = flags.DEFINE_boolean("rivals", False, "Whether to time PyTorch, too (the extra `bench`).")
MEMORY = flags.DEFINE_list("memory", None, "M or T whose peak memory is measured; may be empty.")
MEMORY_OF = flags.DEFINE_integer("memory_of", None, "Train with this M or T, print the peak.")


def main() -> None:
    check_count(**{f.name: f.value for f in (PAIRS, MEMORY_OF, *GIVEN.values()) if f.present})
    if not all(length.isdecimal() and int(length) for length in MEMORY.value or []):
        raise UsageError(f"memory must be whole numbers greater than 0; it was {MEMORY.value}.")
    if RIVALS.value:
        rivals()
    for method in METHODS if METHOD.value == "all" else [METHOD.value]:
        sizes = sizes_of(method)
        x = tf.cast(samplers.uniform([sizes.batch_size, sizes.pixels], 0) < 0.2, tf.float32)
        build, report_times = SUBJECTS[method]
        if MEMORY_OF.value is not None:
            sizes.num_steps = MEMORY_OF.value
            step = train_step(build(sizes), x)
            for _ in range(5):
                step()
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            return
        model = build(sizes)
        print(
            f"{method}: {sizes.num_steps} {LENGTHS[method][1]} of {sizes.num_leapfrog_steps} "
            f"leapfrog steps, batch {sizes.batch_size}, {num_chains(model)} chains each, decoder "
            f"{sizes.latent_dim}-{sizes.units}-{sizes.units}-{sizes.pixels}, "
            f"{'XLA' if JIT.value else 'graph'}; {PAIRS.value} pairs"
        )
        report_times(model, x, sizes)
        report_memory(method)


def sizes_of(method):
    """The sizes of a method, with those that were given by flags."""
    default = {name: row[1 + METHODS.index(method)] for name, row in SIZES.items()}
    given = {name: flag.value for name, flag in GIVEN.items() if flag.present}
    return types.SimpleNamespace(**default | given)


# The subjects: how the model is built, and what it is held against.


def hmc_dlgm(sizes):
    """A model whose step size stays where it gives `num_leapfrog_steps`."""
    step_size = 1.5 / (sizes.num_leapfrog_steps - 0.5)
    return compiled(
        zoo.HMCDLGM,
        sizes,
        num_steps=sizes.num_steps,
        max_num_leapfrog_steps=sizes.num_leapfrog_steps,
        step_size=step_size,
        min_step_size=step_size,
        max_step_size=step_size,
    )


def report_hmc_dlgm(model, x, sizes):
    z, vae = starts(model, x), compiled(zoo.VAE, sizes)
    chain, vae_step = chain_of(model, model.refine, x, z), train_step(vae, x)
    report("chain / floor", pairs(chain, floor_of(model, x, z, sizes)))
    report(
        "fit step / (chain + VAE step)",
        pairs(train_step(model, x), lambda: (chain(), vae_step())),
    )


def ais(sizes):
    return compiled(
        zoo.AnnealedVAE,
        sizes,
        activation="tanh",
        num_samples=sizes.num_samples,
        num_increments=sizes.num_steps,
        num_leapfrog_steps=sizes.num_leapfrog_steps,
    )


def report_ais(model, x, sizes):
    z = starts(model, x)
    floor, passes = floor_of(model, x, z, sizes), passes_of(model, x, z)
    step = train_step(model, x)
    report("chains / floor", pairs(chain_of(model, model.anneal, x, z), floor))
    report("fit step / (floor + passes)", pairs(step, lambda: (floor(), passes())))
    if RIVALS.value:
        rival = rivals().AnnealedVAE(model)
        report("PyTorch step / fit step", pairs(lambda: rival.train_step(x.numpy()), step))
        print(f"  {rivals().VERSION}")


SUBJECTS = {"hmc_dlgm": (hmc_dlgm, report_hmc_dlgm), "ais": (ais, report_ais)}


def compiled(method, sizes, **kwargs):
    facts = data.Data(None, None, None, (sizes.pixels,), 0, {})
    hidden = (sizes.units, sizes.units)
    model = method.for_data(facts, latent_dim=sizes.latent_dim, hidden=hidden, **kwargs)
    model.compile(jit_compile=JIT.value)
    return model


def rivals():
    """The module of rivals, which needs PyTorch."""
    try:
        from zoo.scripts import rivals
    except ModuleNotFoundError as error:
        raise UsageError(
            f"rivals need {error.name}; install the extra: pip install -e '.[bench]'"
        ) from None
    return rivals


# What is timed.


def program(function):
    return tf.function(function, jit_compile=JIT.value, autograph=False)


def train_step(model, x):
    """What one batch costs in `fit`."""
    step = program(model.train_step)
    return lambda: step({"x": x})


def num_chains(model):
    """Of an image."""
    return getattr(model, "num_samples", 1)


def starts(model, x):
    """Where the chains start: draws of the encoder, [S, B, K]."""
    posterior = model.posterior(x)
    mean, scale = posterior.mean(), posterior.stddev()
    return mean + scale * samplers.normal([num_chains(model), *mean.shape], 0)


def chain_of(model, run, x, z):
    """The chains alone, from the encoder's draws, with all that they tell."""
    posterior = model.posterior(x)
    mean, scale = posterior.mean(), posterior.stddev()
    chain = program(lambda seed: run(x, type(posterior)(mean, scale), z, seed))
    return lambda: chain(samplers.as_seed(0))


def floor_of(model, x, z, sizes):
    """As many gradients of log p(x, z) as the chains take, and nothing else."""

    @program
    def floor(num_gradients):
        def step(i, z):
            _, gradient = value_and_gradient(lambda z: model.log_joint(x, z), z)
            return i + 1, z + 1e-3 * gradient

        return tf.while_loop(lambda i, _: i < num_gradients, step, (0, z))[1]

    return lambda: floor(tf.constant(sizes.num_steps * sizes.num_leapfrog_steps + 1))


def passes_of(model, x, z):
    """The gradients of the one-sample bound for the encoder, of log p(x, z) for the decoder."""
    groups = model.parameter_groups

    @program
    def passes():
        with tf.GradientTape(persistent=True) as tape:
            bound = tf.reduce_mean(model.log_weights(x, 1, 0))
            log_joint = tf.reduce_mean(model.log_joint(x, z))
        return (
            tape.gradient(bound, groups["inference"]),
            tape.gradient(log_joint, groups["generation"]),
        )

    return passes


# How it is timed.


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


def report_memory(method):
    symbol, _, lengths = LENGTHS[method]
    command = [sys.executable, *sys.argv, f"--method={method}", "--norivals"]
    peaks = {
        n: float(subprocess.check_output([*command, f"--memory_of={n}"], text=True))
        for n in (lengths if MEMORY.value is None else MEMORY.value)
    }
    if peaks:
        told = ", ".join(f"{symbol} = {n}: {peak:.0f} MiB" for n, peak in peaks.items())
        print(f"peak memory: {told}")
        print(f"  largest / smallest {max(peaks.values()) / min(peaks.values()):.3f}", flush=True)


if __name__ == "__main__":
    cli.run(main)
