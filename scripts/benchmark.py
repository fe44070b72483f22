"""Times training by Markov chains against its floor: the bare gradients, in one compiled loop.

    python scripts/benchmark.py
    python scripts/benchmark.py --method=ais --rivals

Prints medians and quartiles of ratios over interleaved pairs of one process, and the peak memory of
one process per length of the chains. The methods are:

    hmc_dlgm  an HMC-DLGM, whose step size is frozen, so that every transition has the same number
              of leapfrog steps
    ais       an AIS-trained VAE; what its step takes beside the chains are two passes on the tape,
              the encoder's and the decoder's
    short_run a generator trained by short-run Langevin dynamics, in processor time; its step in
              units of a ladder VAE's with the same generator; one update of its step size in units
              of its chain, and on digits (64 pixels) how far Lanczos' log-determinants are from the
              exact ones
    undirected Gibbs sweeps of a discrete VAE, in processor time: of the prior's 1,000 particles, 40
              each, and of the posteriors of a batch; beside as many matrix products and random
              numbers

With --rivals training steps are timed against others written by hand, too: that of hmc_dlgm against
two in JAX (a plain one, and the leanest that we know to write), that of ais against one in PyTorch.
"""

from absl import flags

from zoo.core import choices
from zoo.runs import cli

METHODS = ("hmc_dlgm", "ais", "short_run", "undirected")
RIVALS_OF = {"hmc_dlgm": "rivals_jax", "ais": "rivals_torch"}
WITH_SEVERAL_CHAINS = ("ais", "undirected")
SIZES = {  # what the flag says, and its default for each method
    "batch_size": ("Images in a batch", 250, 128, 100, 100),
    "latent_dim": ("Latents; of each layer in short_run, side in undirected", 64, 50, 8, 100),
    "units": ("Units of the hidden layers, in short_run its width", 500, 200, 64, 200),
    "pixels": ("Pixels of an image", 784, 784, 64, 784),
    "num_samples": ("Chains of an image, in ais and undirected", 1, 5, 1, 1),
    "num_steps": ("Transitions M, increments T, steps K, or sweeps s of a chain", 5, 5, 25, 10),
    "num_leapfrog_steps": ("Leapfrog steps of a transition", 10, 5, 1, 1),
}
LENGTHS = {  # their symbol, what one is made of, and those whose peak memory is told
    "hmc_dlgm": ("M", "transitions of {num_leapfrog_steps} leapfrog steps", [1, 5, 20]),
    "ais": ("T", "increments of {num_leapfrog_steps} leapfrog steps", [5, 20, 80]),
    "short_run": ("K", "Langevin steps", [5, 25, 100]),
    "undirected": ("s", "Gibbs sweeps", [10, 40]),
}
DECODERS = {
    "hmc_dlgm": "decoder {latent_dim}-{units}-{units}-{pixels}",
    "ais": "decoder {latent_dim}-{units}-{units}-{pixels}",
    "short_run": "{blocks} generator of 3 x {latent_dim} latents, width {units}, {pixels} pixels",
    "undirected": "RBMs of {latent_dim} + {latent_dim}, {units} hidden units, {pixels} pixels",
}

METHOD = flags.DEFINE_enum("method", "all", ["all", *METHODS], "What is timed.")
GIVEN = {
    name: flags.DEFINE_integer(
        name, None, f"{says}; by default " + ", ".join(map("{} for {}".format, default, METHODS))
    )
    for name, (says, *default) in SIZES.items()
}
BLOCKS = flags.DEFINE_enum("blocks", "dense", choices.BLOCKS, "Of the generator of short_run.")
EPOCHS = flags.DEFINE_integer("epochs", 20, "Epochs of digits before Lanczos' error is told.")
PAIRS = flags.DEFINE_integer("pairs", 30, "Interleaved pairs.")
JIT = flags.DEFINE_boolean("jit_compile", True, "Whether XLA compiles.")
RIVALS = flags.DEFINE_boolean(
    "rivals", False, "Whether to time JAX and PyTorch, too (the extra `bench`)."
)
MEMORY = flags.DEFINE_list("memory", None, "M, T or K whose peak memory is measured; may be empty.")
MEMORY_OF = flags.DEFINE_integer("memory_of", None, "Train with this M, T or K, print the peak.")

if __name__ == "__main__":
    cli.parse()

import functools
import importlib
import math
import subprocess
import sys
import time
import types

import numpy as np
import tensorflow as tf

import samplers
import zoo
from zoo.core.checks import UsageError, check_count
from zoo.scripts import timing


def main() -> None:
    counts = (PAIRS, EPOCHS, MEMORY_OF, *GIVEN.values())
    check_count(**{flag.name: flag.value for flag in counts if flag.present})
    if not all(length.isdecimal() and int(length) for length in MEMORY.value or []):
        raise UsageError(f"memory must be whole numbers greater than 0; it was {MEMORY.value}.")
    methods = METHODS if METHOD.value == "all" else [METHOD.value]
    for method in methods if RIVALS.value else ():
        if method in RIVALS_OF:
            rivals(RIVALS_OF[method])  # before anything is timed
    for method in methods:
        sizes = sizes_of(method)
        u = samplers.uniform([sizes.batch_size, *event_shape(method, sizes)], 0)
        batch = {"x": tf.cast(u < 0.2, tf.float32), "index": tf.range(sizes.batch_size)}
        build, report_times = SUBJECTS[method]
        if MEMORY_OF.value is not None:
            sizes.num_steps = MEMORY_OF.value
            step = timing.train_step(build(sizes), batch)
            for _ in range(5):
                step()
            print(timing.peak_memory())
            return
        model = build(sizes)
        length, decoder = (d.format(**vars(sizes)) for d in (LENGTHS[method][1], DECODERS[method]))
        print(
            f"{method}: {sizes.num_steps} {length}, batch {sizes.batch_size}, "
            f"{sizes.num_samples} chains each, {decoder}, "
            f"{'XLA' if JIT.value else 'graph'}; {PAIRS.value} pairs"
        )
        report_times(model, batch, sizes)
        report_memory(method)


def sizes_of(method):
    """The sizes of a method, with those that were given by flags."""
    default = {name: row[1 + METHODS.index(method)] for name, row in SIZES.items()}
    given = {name: flag.value for name, flag in GIVEN.items() if flag.present}
    if method not in WITH_SEVERAL_CHAINS:
        given.pop("num_samples", None)
    return types.SimpleNamespace(**default | given, blocks=BLOCKS.value)


def event_shape(method, sizes):
    """Of an image: those of short_run have a height and a width."""
    if method != "short_run":
        return (sizes.pixels,)
    side = math.isqrt(sizes.pixels)
    if side**2 != sizes.pixels:
        raise UsageError(f"pixels must be a square number in short_run; it was {sizes.pixels}.")
    return (side, side, 1)


# The subjects: how the model is built, and what it is held against.


def hmc_dlgm(sizes):
    """A model whose step size stays where it gives `num_leapfrog_steps`."""
    step_size = 1.5 / (sizes.num_leapfrog_steps - 0.5)
    return dense(
        zoo.HMCDLGM,
        sizes,
        num_steps=sizes.num_steps,
        max_num_leapfrog_steps=sizes.num_leapfrog_steps,
        step_size=step_size,
        min_step_size=step_size,
        max_step_size=step_size,
    )


def report_hmc_dlgm(model, batch, sizes):
    context = model.amortise(batch, samplers.as_seed(0))
    chain = timing.chain_of(model, batch, context)
    floor = timing.floor_of(model, batch, context["proposal"].z, num_gradients(sizes))
    compare("chain / floor", chain, floor)
    vae_step = timing.train_step(dense(zoo.VAE, sizes), batch)
    step = timing.train_step(model, batch)
    compare("fit step / (chain + VAE step)", step, [chain, vae_step])
    steps = timing.train_steps(model, batch)
    n, single = timing.STEPS, timing.STEPS * [step]
    compare(f"{n} steps in a call / in {n} calls", steps, single)
    compare("fit of 100 steps / 10 such calls", timing.fit_of(model, batch), 10 * [steps], pairs=5)
    if RIVALS.value:
        jax, x = rivals(RIVALS_OF["hmc_dlgm"]), batch["x"].numpy()
        for name, lean in (("plain", False), ("lean", True)):
            rival = functools.partial(jax.HMCDLGM(model, lean=lean).train_step, x)
            compare(f"fit step / {name} JAX step", step, rival)
            compare(f"{n} in a call / {n} {name} JAX steps", steps, n * [rival])
        print(f"  {jax.VERSION}")


def ais(sizes):
    return dense(
        zoo.AnnealedVAE,
        sizes,
        activation="tanh",
        num_samples=sizes.num_samples,
        num_increments=sizes.num_steps,
        num_leapfrog_steps=sizes.num_leapfrog_steps,
    )


def report_ais(model, batch, sizes):
    context = model.amortise(batch, samplers.as_seed(0))
    z = context["proposal"].z
    floor = timing.floor_of(model, batch, z, num_gradients(sizes))
    passes, step = timing.passes_of(model, batch, z), timing.train_step(model, batch)
    compare("chains / floor", timing.chain_of(model, batch, context), floor)
    compare("fit step / (floor + passes)", step, [floor, passes])
    if RIVALS.value:
        torch = rivals(RIVALS_OF["ais"])
        rival = torch.AnnealedVAE(model)
        compare("PyTorch step / fit step", lambda: rival.train_step(batch["x"].numpy()), step)
        print(f"  {torch.VERSION}")


def short_run(sizes):
    return top_down(zoo.ShortRun, sizes, num_steps=sizes.num_steps)


def report_short_run(model, batch, sizes):
    z = model.prior.sample([1, sizes.batch_size], samplers.as_seed(0))
    chain = timing.langevin_of(model, batch, z)
    floor = timing.floor_of(model, batch, z, sizes.num_steps)
    passes, step = timing.passes_of(model, batch, z), timing.train_step(model, batch)
    compare_cpu("chain / floor", chain, floor)
    compare_cpu("fit step / (floor + pass)", step, [floor, passes])
    ladder_step = timing.train_step(top_down(zoo.LadderVAE, sizes), batch)
    compare_cpu("fit step / that of a ladder VAE", step, ladder_step)
    exact = timing.update_of(model, batch, method="gradient", log_det="exact")
    lanczos = timing.update_of(model, batch, method="gradient", log_det="lanczos")
    compare_cpu("Lanczos gradient / chain", lanczos, chain)
    if sizes.blocks == "dense":  # one call takes minutes with convolutions
        compare_cpu("exact gradient / chain", exact, chain)
        compare_cpu("exact grid / chain", timing.update_of(model, batch, method="grid"), chain)
        compare_cpu("Lanczos / exact gradient", lanczos, exact)
        if sizes.pixels == 64:
            report_lanczos(model)


def undirected(sizes):
    return dense(
        zoo.DVAE,
        sizes,
        latent_dims=[sizes.latent_dim] * 2,
        num_samples=sizes.num_samples,
        posterior={"name": "undirected", "num_posterior_sweeps": sizes.num_steps},
    )


def report_undirected(model, batch, sizes):
    prior, chains = model.prior_part, model.posterior_part.chains.states
    subjects = {
        "particles": (prior.rbm, tf.convert_to_tensor(prior.particles[0]), prior.num_sweeps),
        "posterior chains": (
            samplers.RBM(*(part + 0.0 for part in model.parameters_of(batch["x"]))),
            tf.transpose(tf.convert_to_tensor(chains), [1, 0, 2]),
            sizes.num_steps,
        ),
    }
    for name, subject in subjects.items():
        sweeps = timing.gibbs_of(model, *subject)
        products, numbers = timing.products_of(model, *subject), timing.numbers_of(model, *subject)
        compare_cpu(
            f"{name} / (products + numbers)",
            sweeps,
            [products, numbers],
        )
    step = timing.train_step(model, batch)
    directed = dense(zoo.DVAE, sizes, latent_dims=[sizes.latent_dim] * 2)
    compare_cpu("fit step / that of one group", step, timing.train_step(directed, batch))


def report_lanczos(model):
    """How far Lanczos is from the exact objective, for a generator that has seen some digits."""
    digits = zoo.data.load("digits", batch_size=100).train
    model.fit(digits, epochs=EPOCHS.value, verbose=0)
    errors, edge = timing.lanczos_errors(model, {"x": next(iter(digits))["x"]})
    below = {size: error for size, error in errors.items() if size < edge}
    told = ", ".join(f"{error:.2f} at {size:g}" for size, error in below.items())
    mean = np.mean(list(below.values()))
    print(
        f"Lanczos' error after {EPOCHS.value} epochs of digits: {mean:.2f} nats below "
        f"the stability edge, {edge:.3f}\n  {told}",
        flush=True,
    )


SUBJECTS = {
    "hmc_dlgm": (hmc_dlgm, report_hmc_dlgm),
    "ais": (ais, report_ais),
    "short_run": (short_run, report_short_run),
    "undirected": (undirected, report_undirected),
}


def dense(method, sizes, **kwargs):
    """A model with fully connected networks."""
    if "latent_dims" not in kwargs:
        kwargs["latent_dim"] = sizes.latent_dim
    hidden = (sizes.units, sizes.units)
    return built(method, timing.grey((sizes.pixels,), sizes.batch_size), hidden=hidden, **kwargs)


def top_down(method, sizes, **kwargs):
    """A model with a top-down generator."""
    return built(
        method,
        timing.grey(event_shape("short_run", sizes), sizes.batch_size),
        latent_dims=[sizes.latent_dim] * 3,
        width=sizes.units,
        blocks=sizes.blocks,
        likelihood={"name": "gaussian", "scale": 0.15},
        **kwargs,
    )


def built(method, facts, **kwargs):
    model = method.for_data(facts, **kwargs)
    model.compile(jit_compile=JIT.value, steps_per_execution=10)
    return model


def rivals(name):
    """A module of rivals, which needs a library of the extra `bench`."""
    try:
        return importlib.import_module(f"zoo.scripts.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(f"rivals need {error.name}: pip install -e '.[bench]'") from None


def num_gradients(sizes):
    """Of a chain of leapfrog steps."""
    return sizes.num_steps * sizes.num_leapfrog_steps + 1


def compare(title, first, second, *, pairs=None, **kwargs):
    timing.compare(title, first, second, pairs or PAIRS.value, **kwargs)


def compare_cpu(title, first, second):
    """As `compare`, in processor time."""
    compare(title, first, second, clock=time.process_time)


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
