"""The rival that `scripts/compare_numpyro.py` trains: NumPyro's differentiable AIS of a VAE."""

import jax
import numpyro
from jax import numpy as jnp
from numpyro import distributions as dist
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoSemiDAIS

STEP_SIZES = {"eta_init": 0.05, "eta_max": 0.5, "gamma_init": 0.9}


def inference(model, num_steps, **changed):
    """Stochastic variational inference of NumPyro, of the networks and weights of a VAE.

    Args:
      model: a `zoo.VAE` of fully connected softplus layers, a mean field and binary pixels.
      num_steps: T, of AutoSemiDAIS, whose base law is the encoder's.
      **changed: other step sizes than `STEP_SIZES`.

    Returns:
      A `numpyro.infer.SVI`, whose batches are binary pixels [B, pixels].
    """
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
