"""Trains NumPyro's differentiable AIS on the networks of `zoo.UHA` and scores its decoder as ours.

    pip install -e '.[bench]'
    python scripts/compare_numpyro.py --seed=0

`AutoSemiDAIS` with the encoder as its base law learns from the digits that `--config=uha` has, from
the same initial weights, with the same number of steps and Adam. Its decoder and encoder then go
into a `zoo.VAE`, whose log p(x) is estimated as a run's is. NumPyro takes its steps position first
and scales the densities of a batch to those of all images.
"""

from absl import flags

from zoo.runs import cli

EPOCHS = flags.DEFINE_integer("epochs", 400, "Of the training.")
NUM_STEPS = flags.DEFINE_integer("num_steps", 5, "Steps T between temperatures.")
SEED = flags.DEFINE_integer("seed", 0, "Of weights, data and noise.")
OUT = flags.DEFINE_string("out", "", "A file for log p(x) of every test image, as runs have it.")

if __name__ == "__main__":
    cli.parse()

import time

import numpy as np

import zoo
from zoo.core.checks import UsageError, check_count

WITHOUT = "numpyro is needed: pip install -e '.[bench]'"


def main() -> None:
    check_count(epochs=EPOCHS.value, num_steps=NUM_STEPS.value)
    try:
        import jax
        import numpyro

        from zoo.scripts import rivals_numpyro
    except ImportError:
        raise UsageError(WITHOUT) from None
    data = zoo.data.load("digits", batch_size=50, seed=SEED.value, verbose=False)
    model = zoo.VAE.for_data(data, latent_dim=16, hidden=(200, 200), seed=SEED.value)
    model.compile()
    svi = rivals_numpyro.inference(model, NUM_STEPS.value)
    begun = time.perf_counter()
    state, update = None, jax.jit(svi.update)
    for epoch in range(EPOCHS.value):
        for step, batch in enumerate(data.train):
            x = batch["x"].numpy()
            key = jax.random.key(
                np.random.SeedSequence((SEED.value, epoch, step)).generate_state(1)[0]
            )
            x = jax.random.bernoulli(key, x.reshape(len(x), -1)).astype(np.float32)
            if state is None:
                state = svi.init(jax.random.key(SEED.value), x)
            state, loss = update(state, x)
    seconds = time.perf_counter() - begun
    parameters = svi.get_params(state)
    for name, network in (("encoder", model.encoder), ("decoder", model.decoder)):
        network.set_weights([parameters[f"{name}_{k}"] for k in range(len(network.weights))])
    print(f"NumPyro {numpyro.__version__}, {EPOCHS.value} epochs in {seconds:.0f} s")
    settings = {"num_images": 300, "num_chains": 8, "seed": SEED.value, "verbose": False}
    found = zoo.scores.log_likelihood(model, data.test, **settings)
    print(f"log p(x) {found.mean:.3f} +- {found.stderr:.3f}, {found.protocol}")
    if OUT.value:
        rows = enumerate(found.per_image.tolist())
        np.savetxt(OUT.value, list(rows), "%d,%.17g", header="index,log_likelihood", comments="")


if __name__ == "__main__":
    cli.run(main)
