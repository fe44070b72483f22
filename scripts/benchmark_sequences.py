"""Times a training step of a VRNN beside its networks and its cell alone in a bare scan.

    python scripts/benchmark_sequences.py
    python scripts/benchmark_sequences.py --units=256 --lengths=100 --nojit_compile

The floor calls all of the model's networks and its cell at every step of one loop, with no noise
and the sum of squares of what they give as what is differentiated, and applies the gradients by the
same optimizer: medians and quartiles over interleaved pairs of one process. Then come the time to
compile and the peak memory of the process so far.
"""

from absl import flags

from zoo.runs import cli

NUMBERS = flags.DEFINE_list("lengths", ["25", "100"], "Steps T.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 50, "Sequences in a batch.")
NUM_DIMS = flags.DEFINE_integer("num_dims", 3, "Numbers of a step; pen strokes have 3.")
LATENT_DIM = flags.DEFINE_integer("latent_dim", 16, "Latents of a step.")
UNITS = flags.DEFINE_integer("units", 64, "Units of the LSTM.")
HIDDEN = flags.DEFINE_integer("hidden", 64, "Units of the hidden layer of each network.")
COMPONENTS = flags.DEFINE_integer("components", 20, "Components of the mixture of Gaussians.")
PAIRS = flags.DEFINE_integer("pairs", 20, "Interleaved pairs.")
JIT = flags.DEFINE_boolean("jit_compile", True, "Whether XLA compiles the steps.")

if __name__ == "__main__":
    cli.parse()

import time

import tensorflow as tf

import layers
import samplers
import zoo
from zoo.core.checks import check_count
from zoo.scripts import timing


def main() -> None:
    counts = (BATCH_SIZE, NUM_DIMS, LATENT_DIM, UNITS, HIDDEN, COMPONENTS, PAIRS)
    check_count(**{flag.name: flag.value for flag in counts})
    lengths = timing.whole_numbers(lengths=NUMBERS.value)
    told = [f"{flag.name} {flag.value}" for flag in counts[:-1]]
    print(f"VRNN, {', '.join(told)}, {'XLA' if JIT.value else 'graph'}")
    for length in lengths:
        model = zoo.VRNN.for_data(
            (length, NUM_DIMS.value),
            latent_dim=LATENT_DIM.value,
            units=UNITS.value,
            hidden=(HIDDEN.value,),
            emission={"name": "gaussian", "num_components": COMPONENTS.value},
        )
        model.compile(jit_compile=JIT.value)
        x = samplers.normal([BATCH_SIZE.value, length, NUM_DIMS.value], 0)
        batch = {"x": x, "length": tf.fill([BATCH_SIZE.value], length)}
        step = timing.train_step(model, batch)
        begun = time.perf_counter()
        step()
        compiled = time.perf_counter() - begun
        timing.compare(f"T = {length}: step / floor", step, floor(model, batch), PAIRS.value)
        print(
            f"  compiled in {compiled:.1f} s, peak memory {timing.peak_memory():.0f} MiB",
            flush=True,
        )


def floor(model, batch):
    """The networks and the cell, the gradients of their weights and an update."""
    x = tf.transpose(batch["x"], [1, 0, 2])
    size, num_latents = BATCH_SIZE.value, model.latent_dim

    def step(states, x):
        h, seen = states[0], model.x_features(x)
        z = model.encoder(tf.concat([seen, h], -1))[:, :num_latents]
        latent = model.z_features(z)
        outputs = model.decoder(tf.concat([latent, h], -1)), model.prior_network(h)
        _, states = model.cell(tf.concat([seen, latent], -1), states)
        return states, tf.add_n([tf.reduce_mean(tf.square(part)) for part in outputs])

    @timing.compiled_as(model)
    def update():
        with tf.GradientTape() as tape:
            states = model.start_states(size)
            _, squares = layers.scan(step, states, x, tf.constant(0.0))
            objective = tf.reduce_sum(squares)
        gradients = tape.gradient(objective, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        return objective

    return update


if __name__ == "__main__":
    cli.run(main)
