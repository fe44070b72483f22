"""Times training steps of flows: posteriors against the mean field, Glow against its convolutions.

    python scripts/benchmark_flows.py
    python scripts/benchmark_flows.py --posteriors= --width=64

Prints medians and quartiles of ratios over interleaved pairs of one process, in processor time, and
beside each posterior the same ratio of counted multiply-adds in matrix products.
"""

from absl import flags

from zoo.runs import cli

CHOICES = {
    "planar 10": {"name": "planar", "num_flows": 10},
    "planar 10 amortised": {"name": "planar", "num_flows": 10, "amortised": True},
    "nice 10": {"name": "nice", "num_flows": 10},
    "iaf 2": {"name": "iaf", "num_flows": 2},
}

POSTERIORS = flags.DEFINE_list("posteriors", list(CHOICES), "Which posteriors; may be empty.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 250, "Images in a batch.")
LATENT_DIM = flags.DEFINE_integer("latent_dim", 64, "Latents of the VAEs.")
UNITS = flags.DEFINE_integer("units", 500, "Units of each of two hidden layers, both ways.")
PIXELS = flags.DEFINE_integer("pixels", 784, "Pixels of an image of the VAEs.")
SIDE = flags.DEFINE_integer("side", 8, "Height and width of Glow's images; 0 for no Glow.")
WIDTH = flags.DEFINE_integer("width", 32, "Hidden channels of Glow's couplings.")
DEPTH = flags.DEFINE_integer("depth", 4, "Steps in each of Glow's two scales.")
PAIRS = flags.DEFINE_integer("pairs", 30, "Interleaved pairs.")
JIT = flags.DEFINE_boolean("jit_compile", True, "Whether XLA compiles the VAEs' steps.")

if __name__ == "__main__":
    cli.parse()

import time

import tensorflow as tf

import samplers
import zoo
from zoo.core.checks import check_choice, check_count, check_count_or_0
from zoo.scripts import timing


def main() -> None:
    counts = (BATCH_SIZE, LATENT_DIM, UNITS, PIXELS, WIDTH, DEPTH, PAIRS)
    check_count(**{flag.name: flag.value for flag in counts})
    check_count_or_0(side=SIDE.value)
    for name in POSTERIORS.value:
        check_choice("posteriors", name, CHOICES)
    if POSTERIORS.value:
        compare_posteriors()
    if SIDE.value:
        compare_glow()


def compare_posteriors():
    batch = {"x": images((PIXELS.value,))}
    plain = vae("mean_field")
    sizes = f"{PIXELS.value}-{UNITS.value}-{UNITS.value}-{LATENT_DIM.value}"
    print(f"VAE {sizes}, batch {BATCH_SIZE.value}, {'XLA' if JIT.value else 'graph'}")
    for name in POSTERIORS.value:
        model = vae(CHOICES[name])
        compare(f"{name} / mean field", *(timing.train_step(m, batch) for m in (model, plain)))
        print(f"  of multiply-adds {multiply_adds(model) / multiply_adds(plain):.3f}", flush=True)


def compare_glow():
    """In one graph, as Glow's config runs it: XLA's convolutions take longer on a CPU."""
    side, batch = SIDE.value, {"x": images((SIDE.value, SIDE.value, 1))}
    model = zoo.Glow.for_data((side, side, 1), width=WIDTH.value, depth=DEPTH.value)
    model.compile(jit_compile=False)
    model.start_on(batch)
    print(
        f"Glow, {side} x {side} pixels, 2 scales of {DEPTH.value} steps, width {WIDTH.value}, "
        f"batch {BATCH_SIZE.value}, graph"
    )
    compare("step / convolutions", timing.train_step(model, batch), convolutions_of(model))


def convolutions_of(model):
    """The convolutions of a step alone, with their gradients."""
    inputs, kernels = [], []
    for shape, steps, head in zip(
        model.network.shapes, model.network.scales, model.network.heads, strict=True
    ):
        found = [layer.kernel for c in steps[2::3] for layer in (*c.hidden[::2], c.outputs)]
        for kernel in [*found, *([] if head is None else [head.kernel])]:
            kernels.append(kernel)
            inputs.append(images((*shape[:2], kernel.shape[2])))

    @tf.function(autograph=False)
    def convolutions():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = [
                tf.nn.conv2d(x, tf.convert_to_tensor(kernel), 1, "SAME")
                for x, kernel in zip(inputs, kernels, strict=True)
            ]
            total = tf.add_n([tf.reduce_sum(x) for x in outputs])
        return [tf.reduce_sum(g) for g in tape.gradient(total, [*inputs, *kernels])]

    return convolutions


def vae(posterior):
    hidden = (UNITS.value, UNITS.value)
    shape, latent_dim = (PIXELS.value,), LATENT_DIM.value
    model = zoo.VAE.for_data(shape, latent_dim=latent_dim, hidden=hidden, posterior=posterior)
    model.compile(jit_compile=JIT.value)
    return model


def multiply_adds(model):
    """Of one image's pass: the size of every matrix, those of fixed rotations among them."""
    return sum(v.shape[0] * v.shape[1] for v in model.weights if len(v.shape) == 2)


def images(shape):
    return samplers.uniform([BATCH_SIZE.value, *shape], 0)


def compare(title, first, second):
    timing.compare(title, first, second, PAIRS.value, clock=time.process_time)


if __name__ == "__main__":
    cli.run(main)
