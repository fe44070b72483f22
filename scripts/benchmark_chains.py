"""Times training steps that learn through a chain beside what they must compute at least.

    python scripts/benchmark_chains.py
    python scripts/benchmark_chains.py --method=UHA --lengths=16 --nojit_compile --norecompute

A step of T chain steps is held against a VAE's step, T gradients of log p(x, z), and T products of
a vector with its second derivatives, by z and by the decoder's weights, each with the gradient that
it differentiates: medians and quartiles over interleaved pairs of one process. Then come the time
to compile and the peak memory of the process so far: give one length to know its own.
"""

from absl import flags

from zoo.runs import cli

LENGTHS = {"HVI": "num_leapfrog_steps", "LMCVAE": "num_steps", "UHA": "num_steps"}
LENGTHS |= {"AMCVAE": "num_steps"}

METHOD = flags.DEFINE_string("method", "HVI", "HVI, LMCVAE, AMCVAE (one chain) or UHA.")
NUMBERS = flags.DEFINE_list("lengths", ["1", "8", "16"], "Chain steps T.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 250, "Images in a batch.")
LATENT_DIM = flags.DEFINE_integer("latent_dim", 64, "Latents.")
UNITS = flags.DEFINE_integer("units", 500, "Units of each of two hidden layers, both ways.")
PIXELS = flags.DEFINE_integer("pixels", 784, "Pixels of an image.")
PAIRS = flags.DEFINE_integer("pairs", 20, "Interleaved pairs.")
JIT = flags.DEFINE_boolean("jit_compile", True, "Whether XLA compiles the steps.")
RECOMPUTE = flags.DEFINE_boolean("recompute", True, "Whether steps are computed once more.")

if __name__ == "__main__":
    cli.parse()

import time

import tensorflow as tf

import samplers
import zoo
from samplers.density import value_and_gradient
from zoo.core.checks import check_choice, check_count
from zoo.scripts import timing


def main() -> None:
    counts = (BATCH_SIZE, LATENT_DIM, UNITS, PIXELS, PAIRS)
    check_count(**{flag.name: flag.value for flag in counts})
    check_choice("method", METHOD.value, LENGTHS)
    lengths = timing.whole_numbers(lengths=NUMBERS.value)
    batch = {"x": samplers.uniform([BATCH_SIZE.value, PIXELS.value], 0)}
    sizes = f"{PIXELS.value}-{UNITS.value}-{UNITS.value}-{LATENT_DIM.value}"
    print(f"{METHOD.value} {sizes}, batch {BATCH_SIZE.value}, {'XLA' if JIT.value else 'graph'}")
    plain = model_of("VAE")
    for length in lengths:
        arguments = {LENGTHS[METHOD.value]: length, "recompute": RECOMPUTE.value}
        arguments |= {"num_samples": 1} if METHOD.value == "AMCVAE" else {}
        step = timing.train_step(model_of(METHOD.value, **arguments), batch)
        begun = time.perf_counter()
        step()
        compiled = time.perf_counter() - begun
        timing.compare(
            f"T = {length}: step / floor", step, floor(plain, batch, length), PAIRS.value
        )
        print(
            f"  compiled in {compiled:.1f} s, peak memory {timing.peak_memory():.0f} MiB",
            flush=True,
        )


def model_of(method, **kwargs):
    model = getattr(zoo, method).for_data(
        (PIXELS.value,),
        latent_dim=LATENT_DIM.value,
        hidden=(UNITS.value, UNITS.value),
        **kwargs,
    )
    model.compile(jit_compile=JIT.value)
    return model


def floor(model, batch, length):
    """What such a step must compute at least."""
    train_step = timing.train_step(model, batch)
    weights = model.decoder.trainable_variables
    z = samplers.normal([1, BATCH_SIZE.value, LATENT_DIM.value], 0)

    def log_joint(z):
        return model.log_joint(batch, z)

    @timing.compiled_as(model)
    def derivatives(length):
        def step(i, z, total):
            _, gradient = value_and_gradient(log_joint, z)
            z += 1e-3 * gradient
            with tf.GradientTape() as tape:
                tape.watch(z)
                _, gradient = value_and_gradient(log_joint, z)
                along = tf.reduce_sum(z * gradient)
            product, *products = tape.gradient(along, [z, *(v.value for v in weights)])
            total = [t + p for t, p in zip(total, products, strict=True)]
            return i + 1, z + 1e-6 * product, total

        start = 0, z, [tf.zeros(v.shape) for v in weights]
        return tf.while_loop(lambda i, *_: i < length, step, start)[1:]

    return lambda: (train_step(), derivatives(tf.constant(length)))


if __name__ == "__main__":
    cli.run(main)
