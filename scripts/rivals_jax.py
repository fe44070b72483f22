"""Rivals that `scripts/benchmark.py --rivals` times us against: the same step in JAX."""

import functools

import jax
import numpy as np
import optax
from jax import lax
from jax import numpy as jnp

VERSION = f"JAX {jax.__version__}, {jax.devices()[0].platform}"


class HMCDLGM:
    """The training step of `zoo.HMCDLGM`, as one would write it in JAX: one `jit`, donated state.

    Networks and weights are copied from `model`, whose layers must be fully connected and whose
    pixels are binary; so are the chains' lengths, the rule of the step size and Adam.

    Args:
      model: compiled, with a shear.
      lean: whether leapfrog steps take gradients only, with the density at a trajectory's end, and
        step sizes adapt, so that the number of leapfrog steps is not known when it is compiled. If
        not, each leapfrog step takes value and gradient, and lengths are fixed.
    """

    def __init__(self, model, *, lean: bool):
        self.chain, self.rule, self.lean = model.chain, model.adaptation.rule, lean
        self.num_leapfrog_steps = int(model.num_leapfrog_steps)
        self.encode, encoder = _network(model.encoder)
        self.decode, decoder = _network(model.decoder)
        parameters = {
            "inference": (encoder, jnp.array(model.shear.kernel.numpy())),
            "generation": decoder,
        }
        self.optimizer = optax.adam(1e-3, eps=1e-7)
        self.state = {
            "parameters": parameters,
            "optimizer": self.optimizer.init(parameters),
            "step_size": jnp.float32(model.step_size.numpy()),
            "key": jax.random.key(0),
        }
        self.step = jax.jit(self._step, donate_argnums=0)

    def train_step(self, x: np.ndarray) -> float:
        """One step on pixels in [0, 1], [B, pixels]; the one-sample bound."""
        self.state, bound = self.step(self.state, x)
        return float(bound)

    def log_joint(self, decoder, shear, x, z):
        kernel = jnp.tril(shear, -1) + jnp.eye(len(shear))
        logits = self.decode(decoder, z @ kernel.T)
        log_likelihood = x * logits - jax.nn.softplus(logits)
        return log_likelihood.sum(-1) - (z**2 + jnp.log(2 * jnp.pi)).sum(-1) / 2

    def _step(self, state, x):
        key, *keys = jax.random.split(state["key"], 4)
        parameters = state["parameters"]
        x = jax.random.bernoulli(keys[0], x).astype(jnp.float32)
        noise = jax.random.normal(keys[1], (len(x), self.chain_size(parameters)))

        def inference(networks):
            encoder, shear = networks
            mean, log_scale = jnp.split(self.encode(encoder, x), 2, -1)
            scale = jnp.exp(jnp.clip(log_scale, -7, 5))
            z = mean + scale * noise
            log_q = -((noise**2 + jnp.log(2 * jnp.pi)) / 2 + jnp.log(scale)).sum(-1)
            bound = (self.log_joint(parameters["generation"], shear, x, z) - log_q).mean()
            return -bound, (z, scale)

        (loss, (z, scale)), gradient = jax.value_and_grad(inference, has_aux=True)(
            parameters["inference"]
        )
        shear = parameters["inference"][1]
        z, accept_prob = self._refine(
            lambda z: self.log_joint(parameters["generation"], shear, x, z),
            z,
            state["step_size"] * scale,
            self._num_steps(state["step_size"]),
            keys[2],
        )
        gradients = {
            "inference": gradient,
            "generation": jax.grad(lambda d: -self.log_joint(d, shear, x, z).mean())(
                parameters["generation"]
            ),
        }
        updates, optimizer = self.optimizer.update(gradients, state["optimizer"], parameters)
        step_size = state["step_size"]
        if self.lean:
            rate = self.rule["adaptation_rate"]
            low = accept_prob.min() < self.rule["target_accept"]
            step_size = jnp.clip(
                step_size * jnp.where(low, 1 - rate, 1 + rate),
                self.rule["min_step_size"],
                self.rule["max_step_size"],
            )
        state = {
            "parameters": optax.apply_updates(parameters, updates),
            "optimizer": optimizer,
            "step_size": step_size,
            "key": key,
        }
        return state, -loss

    def chain_size(self, parameters):
        return len(parameters["inference"][1])

    def _num_steps(self, step_size):
        if not self.lean:
            return self.num_leapfrog_steps
        steps = jnp.ceil(self.chain["trajectory"] / step_size).astype(jnp.int32)
        return jnp.minimum(steps, self.chain["max_num_leapfrog_steps"])

    def _refine(self, log_density, z, step_size, num_steps, key):
        """M transitions: the end, and the mean acceptance probability of every chain."""
        gradient = jax.grad(lambda z: log_density(z).sum())

        def value_and_gradient(z):
            value, pull = jax.vjp(log_density, z)
            return value, pull(jnp.ones_like(value))[0]

        def plain(z, g, p):
            def step(carry, _):
                z, _, g, p = carry
                p = p + step_size / 2 * g
                z = z + step_size * p
                value, g = value_and_gradient(z)
                return (z, value, g, p + step_size / 2 * g), None

            start = z, jnp.zeros(len(z)), g, p
            return lax.scan(step, start, length=num_steps)[0]

        def lean(z, g, p):
            def step(_, carry):
                z, p = carry
                z = z + step_size * p
                return z, p + step_size * gradient(z)

            z, p = lax.fori_loop(0, num_steps - 1, step, (z, p + step_size / 2 * g))
            z = z + step_size * p
            value, g = value_and_gradient(z)
            return z, value, g, p + step_size / 2 * g

        trajectory = lean if self.lean else plain

        def transition(carry, key):
            z, value, g, accepted = carry
            keys = jax.random.split(key)
            p = jax.random.normal(keys[0], z.shape)
            end, end_value, end_g, end_p = trajectory(z, g, p)
            ratio = end_value - value + ((p**2).sum(-1) - (end_p**2).sum(-1)) / 2
            ratio = jnp.where(jnp.isfinite(ratio), ratio, -jnp.inf)
            accept_prob = jnp.exp(jnp.minimum(ratio, 0))
            moves = jax.random.uniform(keys[1], ratio.shape) < accept_prob
            choose = functools.partial(jnp.where, moves[:, None])
            carry = choose(end, z), jnp.where(moves, end_value, value), choose(end_g, g)
            return (*carry, accepted + accept_prob), None

        start = z, *value_and_gradient(z), jnp.zeros(len(z))
        keys = jax.random.split(key, self.chain["num_steps"])
        (z, _, _, accepted), _ = lax.scan(transition, start, keys)
        return z, accepted / self.chain["num_steps"]


def _network(network):
    """A fully connected Keras network, as a function of weights and inputs, and its weights."""
    layers = [layer for layer in network.layers if hasattr(layer, "activation")]

    def apply(weights, x):
        weights = iter(weights)
        for layer in layers:
            if layer.weights:
                kernel, bias = next(weights)
                x = x @ kernel + bias
            # Of none, which Keras calls linear, jax.nn has no function.
            x = getattr(jax.nn, layer.activation.__name__, lambda x: x)(x)
        return x

    return apply, [
        tuple(jnp.array(w) for w in layer.get_weights()) for layer in layers if layer.weights
    ]
