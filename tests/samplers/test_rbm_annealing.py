"""Annealed estimates of Z, and of moments, are right on average: against enumeration."""

import numpy as np
import pytest
import tensorflow as tf
from checking import moments, mutant, z_scores
from small_rbms import enumerated, exact_draws, parameters, probabilities

import samplers

# What is replaced in samplers/rbm_annealing.py, and by what.
IMPORTANCE = {
    "transition before weight": (
        "tf.cast(betas[t], dtype)",
        "tf.cast(betas[tf.minimum(t + 1, tf.shape(betas)[0] - 1)], dtype)",
    ),
    "transition at the last temperature": (
        "tf.cast(betas[t], dtype)",
        "tf.cast(betas[tf.maximum(t - 1, 0)], dtype)",
    ),
    "weight index shifted": ("+= increments[t]", "+= tf.roll(increments, 1, 0)[t]"),
    "sign of the increment": ("log_weights += increments", "log_weights -= increments"),
    "log Z of the start missing": (
        "tf.cast(log_start, tf.float64)",
        "0 * tf.cast(log_start, tf.float64)",
    ),
    "log Z of the start of one side": ("for a in (start1, start2))", "for a in (start1, start1))"),
    "biases twice": ("rbm.bias1 - start1", "rbm.bias1"),
    "weight without a bias": (" + tf.reduce_sum(z2 * ratio.bias2, -1)", ""),
    "weight without the interaction": ("z1 * logits1, -1", "z1 * ratio.bias1, -1"),
    "interaction not tempered": ("beta * logits1", "logits1"),
    "stale z1 in the sweep": ("ratio.logits2(z1)", "ratio.logits2(tf.ones_like(z1))"),
    "same uniforms for both sides": ("beta * logits1, u1)", "beta * logits1, u2)"),
    "same uniforms in every sweep": (
        "sweep_uniforms(rbm, shape, fold_in(seed, t))",
        "sweep_uniforms(rbm, shape, seed)",
    ),
}
POPULATION = {
    "mean of log weights": (
        "log_mean_exp(log_weights), z1",
        "tf.reduce_mean(log_weights, 0), z1",
    ),
    "sum for mean": (
        "log_mean_exp(log_weights), z1",
        "tf.reduce_logsumexp(log_weights, 0), z1",
    ),
    "old over new": ("b - a for a, b in zip(old, new", "a - b for a, b in zip(old, new"),
    "resampling missing": ("tnp.take_along_axis(z1, ancestors[..., None], 0)", "z1"),
    "ancestors of another RBM": ("ancestors[..., None]", "ancestors[..., ::-1, None]"),
    "sweeps of the old RBM": ("gibbs(new, z1", "gibbs(old, z1"),
    "particles not moved": ("z1, z2 = gibbs(new, z1,", "_, _ = gibbs(new, z1,"),
}
RESAMPLING = {
    "inverse weights": ("tf.nn.softmax(log_weights, 0)", "tf.nn.softmax(-log_weights, 0)"),
    "shares of the wrong axis": ("tf.nn.softmax(log_weights, 0)", "tf.nn.softmax(log_weights, 1)"),
    "no offset": ("offset = uniform(", "offset = 0 * uniform("),
    "one offset for each particle": ("tf.shape(shares[..., :1])", "tf.shape(shares)"),
    "index too large by one": ("tf.minimum(found, count - 1)", "tf.minimum(found + 1, count - 1)"),
}
LOOP = {
    "log Z of the start missing": ("num_units * math.log(2)", "0 * num_units"),
    "log ratio not summed": ("log_normalizer + log_ratio", "log_ratio"),
    "index shifted": (
        "at(tf.maximum(t - 1, 0)), at(t)",
        "at(t), at(tf.minimum(t + 1, tf.shape(betas)[0] - 1))",
    ),
    "always from the start": ("at(tf.maximum(t - 1, 0)), at(t)", "at(0), at(t)"),
    "same seed in every step": (
        "num_sweeps=num_sweeps, seed=fold_in(seed, t)",
        "num_sweeps=num_sweeps, seed=seed",
    ),
}


def log_normalizers(rbm):
    return np.array([np.logaddexp.reduce(enumerated(*one)[1]) for one in zip(*rbm, strict=True)])


def weighted_scores(rbm, log_weights, z1, z2):
    """z-scores of w / Z and of w / Z times both sides' moments: means over particles.

    Weights [R, B] are of R independent populations; states are [S, R, B, n], S in a population.
    """
    w = np.exp(np.asarray(log_weights) - log_normalizers(rbm))
    scores = []
    for b, one in enumerate(zip(*rbm, strict=True)):
        states, log_density = enumerated(*one)
        z = np.concatenate([z1[:, :, b], z2[:, :, b]], -1)
        features = np.mean([moments(particles) for particles in z], 0)
        features = np.concatenate([np.ones([len(features), 1]), features], 1)
        mean = probabilities(log_density) @ moments(states)
        scores.append(z_scores(w[:, b, None] * features, np.append(1.0, mean)))
    return np.abs(scores).max()


def importance_deviation(module, start):
    rbm = samplers.RBM(*parameters(4, 4, seed=2))
    log_weights, z1, z2 = module.rbm_annealed_importance_sampling(
        rbm, num_chains=4096, betas=samplers.linear_schedule(4), start=start, seed=0
    )
    assert log_weights.dtype == tf.float64
    return weighted_scores(rbm, log_weights, z1[None], z2[None]) / 4


def compiled(f, *args):
    return tf.function(f, jit_compile=True, autograph=False)(*args)


@pytest.mark.parametrize("start", ["zero", "bias", "spin"])
def test_annealed_weights_are_unbiased(start):
    assert importance_deviation(samplers, start) < 1


@pytest.mark.parametrize("change", IMPORTANCE.values(), ids=IMPORTANCE)
def test_wrong_annealing_is_rejected(change):
    module = mutant("samplers.rbm_annealing", *change)
    assert not max(importance_deviation(module, start) for start in ("zero", "bias", "spin")) < 1


def test_mean_of_logs_is_below_the_log():
    """On average, with five chains at two temperatures; not always."""
    rbm = samplers.RBM(*(2 * p for p in parameters(4, 3, seed=3)))
    result = samplers.rbm_annealed_importance_sampling(
        rbm, num_chains=10_000, betas=samplers.linear_schedule(2), seed=0
    )
    log_weights = np.reshape(result.log_weights - log_normalizers(rbm), [-1, 5, 3])
    estimates = np.logaddexp.reduce(log_weights, 1) - np.log(5)
    assert np.abs(z_scores(np.exp(estimates), 1.0)).max() < 4
    assert np.all(z_scores(estimates, 0.0) < -4) and np.all(estimates.max(0) > 0)


def test_start_of_the_biases_alone_is_exact():
    rbm = samplers.RBM(*(p * scale for p, scale in zip(parameters(), (2, 2, 0), strict=True)))
    result = samplers.rbm_annealed_importance_sampling(
        rbm, num_chains=5, betas=[0.0, 1.0], start="bias", seed=0
    )
    expected = np.tile(log_normalizers(rbm), [5, 1])
    np.testing.assert_allclose(result.log_weights, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="start must be 'zero', 'bias' or 'spin'; it was"):
        samplers.rbm_annealed_importance_sampling(
            rbm, num_chains=5, betas=[0.0, 1.0], start="prior", seed=0
        )


def test_start_of_the_spins_finds_what_biases_of_bits_hide():
    """Biases of bits that make up for strong weights: one temperature from spins is worth many."""
    bias1, bias2, weights = (tf.cast(p, tf.float64) for p in parameters(5, 5, seed=4))
    strong = 3 * weights
    hidden = [3 * b - tf.reduce_sum(strong, axis) / 2 for b, axis in ((bias1, -1), (bias2, -2))]
    rbm = samplers.RBM(*hidden, strong)

    def spread(start):
        result = samplers.rbm_annealed_importance_sampling(
            rbm, num_chains=1000, betas=samplers.linear_schedule(16), start=start, seed=0
        )
        return np.std(result.log_weights, 0)

    assert np.all(spread("spin") < 0.8 * spread("bias"))


@pytest.mark.parametrize("sampler", ["importance", "population"])
def test_one_rbm_and_its_place_in_a_batch(sampler):
    """Without a batch there is no axis for it; in a batch others' parameters do not matter."""

    def run(rbm):
        betas = samplers.linear_schedule(3)
        if sampler == "importance":
            return samplers.rbm_annealed_importance_sampling(rbm, num_chains=6, betas=betas, seed=1)
        return samplers.population_annealing(
            rbm, num_particles=6, betas=betas, num_sweeps=2, seed=1
        )

    alone = run(samplers.RBM(*parameters(4, 3, batch=())))
    lead = () if sampler == "population" else (6,)
    assert [part.shape for part in alone] == [lead, (6, 4), (6, 3)]
    first, second = parameters(4, 3), parameters(4, 3, seed=1)
    mixed = [tf.concat([a[:1], b[1:]], 0) for a, b in zip(first, second, strict=True)]
    for a, b in zip(run(samplers.RBM(*first)), run(samplers.RBM(*mixed)), strict=True):
        first_rbm = 0 if a.shape.rank == 1 else (slice(None), 0)
        np.testing.assert_array_equal(a[first_rbm], b[first_rbm])
        assert np.any(a != b)


def test_batches_of_unknown_size():
    betas = samplers.linear_schedule(3)

    @tf.function(input_signature=[tf.TensorSpec([None, *n]) for n in ([4], [3], [4, 3])])
    def run(*parameters):
        rbm = samplers.RBM(*parameters)
        kwargs = {"betas": betas, "seed": 1}
        chains = samplers.rbm_annealed_importance_sampling(rbm, num_chains=6, **kwargs)
        particles = samplers.population_annealing(rbm, num_particles=6, num_sweeps=2, **kwargs)
        z1, _ = samplers.gibbs(rbm, particles[1], num_sweeps=2, seed=0)
        return chains, particles, samplers.mean_field(rbm, z1), samplers.exact_log_normalizer(rbm)

    chains, particles, means, log_normalizer = run(
        *(tf.cast(p, tf.float32) for p in parameters(4, 3))
    )
    assert [part.shape for part in chains] == [(6, 3), (6, 3, 4), (6, 3, 3)]
    assert [part.shape for part in particles] == [3, (6, 3, 4), (6, 3, 3)]
    assert means[1].shape == (6, 3, 3) and log_normalizer.shape == 3


def copies(rbm, count):
    """As many independent populations."""
    return samplers.RBM(*(tf.repeat(part[None], count, 0) for part in rbm))


def step_deviation(module, replicates=1000, num_particles=8):
    """One step from exact draws of one RBM to another: Z ratios, and moments at the end."""
    first, second = parameters(seed=4), parameters(seed=5)
    old = samplers.RBM(*first)
    new = samplers.RBM(*((a + b) / 2 for a, b in zip(first, second, strict=True)))
    draws = exact_draws(old, num_particles * replicates).reshape(num_particles, replicates, 3, 8)
    many = [copies(rbm, replicates) for rbm in (old, new)]
    draws = tf.constant(draws)
    log_ratio, z1, z2 = module.population_annealing_step(
        *many, draws[..., :4], draws[..., 4:], num_sweeps=1, seed=0
    )
    return weighted_scores(new, log_ratio + log_normalizers(old), z1, z2) / 4


def population_deviation(module, replicates=1000, num_particles=8, run=lambda f, *args: f(*args)):
    rbm = samplers.RBM(*parameters(seed=2))
    many = copies(rbm, replicates)

    def sample(seed):
        return module.population_annealing(
            many,
            num_particles=num_particles,
            betas=samplers.linear_schedule(3),
            num_sweeps=1,
            seed=seed,
        )

    return weighted_scores(rbm, *run(sample, samplers.as_seed(0))) / 4


def test_steps_of_a_population_are_unbiased():
    assert step_deviation(samplers) < 1


def test_population_annealing_is_unbiased():
    assert population_deviation(samplers) < 1
    assert population_deviation(samplers, run=compiled) < 1


@pytest.mark.parametrize("change", POPULATION.values(), ids=POPULATION)
def test_wrong_steps_are_rejected(change):
    assert not step_deviation(mutant("samplers.rbm_annealing", *change)) < 1


@pytest.mark.parametrize("change", LOOP.values(), ids=LOOP)
def test_wrong_population_annealing_is_rejected(change):
    assert not population_deviation(mutant("samplers.rbm_annealing", *change)) < 1


def resampling_deviation(module, run=lambda f, *args: f(*args)):
    """A particle occurs floor(S w) or ceil(S w) times: from that, and S w on average, over 4."""
    log_weights = np.log(np.random.default_rng(0).dirichlet(np.ones(7), [3]).T)
    log_weights[2, 1] = -np.inf
    log_weights = np.tile(log_weights[:, None], [1, 2000, 1])
    drawn = run(module.systematic_resampling, tf.constant(log_weights), samplers.as_seed(0))
    counts = (drawn.numpy()[None] == np.arange(7)[:, None, None, None]).sum(1)
    expected = 7 * np.exp(log_weights - np.logaddexp.reduce(log_weights, 0))
    scores = z_scores(np.moveaxis(counts, 1, 0), expected[:, 0])
    return max(np.abs(counts - expected).max(), np.abs(scores).max() / 4)


def test_systematic_resampling():
    assert resampling_deviation(samplers) < 1
    assert resampling_deviation(samplers, compiled) < 1


@pytest.mark.parametrize("change", RESAMPLING.values(), ids=RESAMPLING)
def test_wrong_resampling_is_rejected(change):
    assert not resampling_deviation(mutant("samplers.resampling", *change)) < 1


def test_many_temperatures_give_log_normalizers():
    """Of stronger weights and biases, in float32, compiled."""
    rbm = samplers.RBM(*(tf.cast(2 * p, tf.float32) for p in parameters(6, 5, seed=6)))
    betas = samplers.linear_schedule(150)
    result = compiled(
        lambda seed: samplers.rbm_annealed_importance_sampling(
            rbm, num_chains=1000, betas=betas, start="spin", seed=seed
        ),
        samplers.as_seed(0),
    )
    w = np.exp(result.log_weights - log_normalizers(rbm))
    assert np.abs(z_scores(w, 1.0)).max() < 4 and np.all(w.std(0) < 0.6)
