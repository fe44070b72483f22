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

STEP_SIZES = {"eta_init": 0.05, "eta_max": 0.5, "gamma_init": 0.9}
WITHOUT = "numpyro is needed: pip install -e '.[bench]'"


def main() -> None:
    check_count(epochs=EPOCHS.value, num_steps=NUM_STEPS.value)
    try:
        import jax
        import numpyro
    except ImportError:
        raise UsageError(WITHOUT) from None
    data = zoo.data.load("digits", batch_size=50, seed=SEED.value, verbose=False)
    model = zoo.VAE.for_data(data, latent_dim=16, hidden=(200, 200), seed=SEED.value)
    model.compile()
    svi = inference(model, NUM_STEPS.value)
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
        np.savetxt(OUT.value, list(rows), "%d,%r", header="index,log_likelihood", comments="")


def inference(model, num_steps, **changed):
    """Stochastic variational inference of NumPyro, of the networks and weights of a VAE."""
    import jax
    import numpyro
    from jax import numpy as jnp
    from numpyro import distributions as dist
    from numpyro.infer import SVI, Trace_ELBO
    from numpyro.infer.autoguide import AutoSemiDAIS

    weights = {
        name: [jnp.array(w) for w in network.get_weights()]
        for name, network in (("encoder", model.encoder), ("decoder", model.decoder))
    }

    def network(name, x):
        layers = [numpyro.param(f"{name}_{k}", w) for k, w in enumerate(weights[name])]
        for k in range(0, len(layers), 2):
            x = x @ layers[k] + layers[k + 1]
            x = x if k + 2 == len(layers) else jax.nn.softplus(x)
        return x

    def joint(x):
        prior = dist.Normal(jnp.zeros(model.latent_dim), 1.0).to_event(1)
        with numpyro.plate("images", len(x)):
            z = numpyro.sample("z", prior)
            pixels = dist.Bernoulli(logits=network("decoder", z)).to_event(1)
            numpyro.sample("x", pixels, obs=x)

    def posterior(x):
        mean, log_scale = jnp.split(network("encoder", x), 2, -1)
        with numpyro.plate("images", len(x)):
            scale = jnp.exp(jnp.clip(log_scale, -7, 5))
            numpyro.sample("z", dist.Normal(mean, scale).to_event(1))

    guide = AutoSemiDAIS(
        joint,
        joint,
        local_guide=posterior,
        K=num_steps,
        subsample_plate="images",
        use_global_dais_params=True,
        **STEP_SIZES | changed,
    )
    return SVI(joint, guide, numpyro.optim.Adam(1e-3), Trace_ELBO())


if __name__ == "__main__":
    cli.run(main)
