"""The undirected posterior against the enumeration of all states, for a batch of three images."""

import numpy as np
import pytest
import tensorflow as tf
from checking import moments, z_scores
from small_dvaes import BATCH, LATENT_DIMS, wrong
from small_posteriors import (
    FEATURES,
    PWL,
    STATES,
    directed,
    directed_log_mass,
    hard,
    kl,
    largest,
    moments_of,
    pair_features,
    state_numbers,
    terms,
    undirected,
    undirected_log_density,
)
from small_rbms import enumerated, exact_draws

import samplers
from zoo.core.checks import UsageError
from zoo.parts import undirected_posterior

NAME = undirected_posterior.__name__


def test_fields_and_couplings_of_spins():
    """The density of bits is that of spins s = 2 z - 1, up to a constant."""
    part = undirected()
    (a, b), (c, d) = part.fields.get_weights(), part.couplings.get_weights()
    h = FEATURES @ a + b
    j = np.reshape(FEATURES @ c + d, [BATCH, *LATENT_DIMS]) / np.prod(LATENT_DIMS) ** 0.5
    s = 2 * STATES - 1
    spins = s @ np.transpose(h) + np.einsum("ni,bij,nj->nb", s[:, :4], j, s[:, 4:])
    assert np.ptp(undirected_log_density(part) - spins, 0).max() < 1e-4


def sum_error(module, num_increments):
    """Of sums of q's density, less log Z, that weighted draws estimate, in standard errors."""
    part = undirected(module, num_increments=num_increments)
    draw = tf.function(lambda: part.propose(part(FEATURES), 20_000, 0), autograph=False)()
    z = draw.z.numpy()
    log_density = undirected_log_density(part)
    weights = np.exp(np.take_along_axis(log_density, state_numbers(z), 0) - draw.log_q)
    exact = np.exp(log_density).T @ pair_features(STATES)
    found = weights[..., None] * pair_features(z)
    return largest(z_scores(found / exact, np.ones_like(found[0])))


@pytest.mark.parametrize("num_increments", [1, 5, 100])
def test_weighted_draws(num_increments):
    """Valid after any number of increments, without log Z."""
    assert sum_error(undirected_posterior, num_increments) < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        ("chains.z2) - log_weights", "chains.z2)"),
        ("chains.z2) - log_weights", "chains.z2) + log_weights"),
        (
            "tf.concat([chains.z1, chains.z2], -1), log_q",
            "1 - tf.concat([chains.z1, chains.z2], -1), log_q",
        ),
    ],
    ids=["weight left out", "sign of the weight", "bits flipped"],
)
def test_wrong_weights_are_rejected(change):
    assert sum_error(wrong(NAME, *change), 5) > 8


def without_couplings():
    """An undirected posterior without couplings, and a directed one of the same law."""
    part, other = undirected(), directed(1)
    part.couplings.set_weights([np.zeros_like(w) for w in part.couplings.get_weights()])
    other.heads[0].set_weights([2 * w for w in part.fields.get_weights()])
    return part, other


def test_without_couplings_it_is_directed():
    part, other = without_couplings()
    draw = part.propose(part(FEATURES), 10_000, 0)
    log_q = directed_log_mass(other, FEATURES)
    assert largest(draw.log_q - np.take_along_axis(log_q, state_numbers(draw.z), 0)) < 1e-4
    exact = np.einsum("nb,nk->bk", np.exp(log_q), moments(STATES))
    assert largest(z_scores(moments_of(draw.z), exact)) < 4
    closed = terms(other.relaxed(FEATURES, None, 1, PWL, 0, "expectation"))[0]
    start = draw.z[..., : LATENT_DIMS[0]]
    relaxed = terms(part.relaxed(part(FEATURES), start, 10_000, PWL, 1, "expectation"))
    log_z = np.logaddexp.reduce(undirected_log_density(part), 0)
    assert largest(z_scores(relaxed - log_z, closed)) < 4


def kl_error(module):
    """Of the kl at bits from exact draws, in standard errors."""
    part = undirected(module)
    rbm = part(FEATURES)
    start = exact_draws(rbm, 40_000)[..., : LATENT_DIMS[0]].astype("f")
    draw = part.relaxed(rbm, tf.constant(start), 40_000, hard, 0, "expectation")
    log_density = undirected_log_density(part)
    log_z = np.logaddexp.reduce(log_density, 0)
    return largest(z_scores(terms(draw) - log_z, kl(log_density - log_z)))


def test_undirected_kl():
    assert kl_error(undirected_posterior) < 4
    sign = ("log_q = held.log_density", "log_q = -held.log_density")
    assert kl_error(wrong(NAME, *sign)) > 8


def path_gradient(scale, num_sweeps):
    """Cosine and norm ratio of the relaxed gradient of the kl to the exact one.

    That is of KL(q || prior) of 5 + 5 units in the parameters of q, with log Z and the score.
    """
    rng = np.random.default_rng(0)
    sizes = ((5,), (5,), (5, 5))
    q = [
        tf.constant(s * rng.standard_normal(n), tf.float32)
        for s, n in zip((0.5, 0.5, scale), sizes, strict=True)
    ]
    p = samplers.RBM(*(tf.constant(0.5 * rng.standard_normal(n), tf.float32) for n in sizes))
    part = undirected_posterior.UndirectedPosterior((5, 5), num_relaxed_sweeps=num_sweeps)
    start = exact_draws([v[None] for v in q], 40_000)[:, 0, :5].astype("f")
    z1, z2 = tf.split(tf.constant(enumerated(*q)[0], tf.float32), 2, -1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(q)
        rbm = samplers.RBM(*q)
        draw = part.relaxed(rbm, tf.constant(start), len(start), PWL, 0, "expectation")
        relaxed = tf.reduce_mean(draw.log_q - p.log_density(*tf.split(draw.at, 2, -1)))
        log_q = tf.nn.log_softmax(rbm.log_density(z1, z2))
        exact = tf.reduce_sum(tf.exp(log_q) * (log_q - p.log_density(z1, z2)))
    found, truth = (
        np.concatenate([np.ravel(g) for g in tape.gradient(value, q)]) for value in (relaxed, exact)
    )
    norms = np.linalg.norm(found), np.linalg.norm(truth)
    return found @ truth / np.prod(norms), norms[0] / norms[1]


@pytest.mark.parametrize(
    ("scale", "cosine", "ratio"), [(0.3, 0.99, (0.8, 1.2)), (1.5, 0.9, (0.5, 0.9))]
)
def test_path_gradient(scale, cosine, ratio):
    """Without the score of the start it is short, of strong couplings; more sweeps mend that."""
    one, four = path_gradient(scale, 1), path_gradient(scale, 4)
    assert one[0] > cosine
    assert ratio[0] < one[1] < ratio[1]
    assert four[0] > 0.99
    assert abs(four[1] - 1) < 0.1


# Chains that go on.


def test_chains_are_those_of_the_examples():
    """Many chains of three examples, visited in another order, reach each one's own law."""
    part = undirected(num_examples=BATCH, num_chains=4000)
    index = tf.constant([2, 0, 1])
    z1 = part.sample_latents(part(FEATURES), {"index": index}, 1)
    density = undirected_log_density(part)
    exact = np.exp(density - np.logaddexp.reduce(density, 0)).T @ STATES[:, :4]
    assert largest(z_scores(z1, exact)) < 4
    assert largest(z_scores(z1, exact[[1, 2, 0]])) > 8
    # And start where they were left.
    ((states, value),) = part.next_state(part.state_statistics({"index": index}, z1))
    states.assign(value)
    np.testing.assert_array_equal(part.chains.states.numpy()[[2, 0, 1]], np.swapaxes(z1, 0, 1))
    again = part.sample_latents(still(part), {"index": index}, 2)
    np.testing.assert_array_equal(again, z1)


def still(part):
    """RBMs that hold every chain of side 1 where it is: by z2, which copies it."""
    rbm = part(FEATURES)
    copy = tf.eye(4, batch_shape=[BATCH]) * 4e3
    return rbm._replace(bias1=0 * rbm.bias1 - 2e3, bias2=0 * rbm.bias2 - 2e3, weights=copy)


def test_mistakes_are_told():
    for message, ask in {
        "num_examples must be given, of the training data": lambda: undirected().make_state(1, 0),
        "num_examples must be greater than 0; it was 0": lambda: undirected(num_examples=0),
        "num_increments must be greater than 0": lambda: undirected(num_increments=0),
        "num_relaxed_sweeps must be a whole": lambda: undirected(num_relaxed_sweeps=1.5),
        "relaxation must be 'piecewise_linear' or": lambda: undirected().check_relaxation(
            samplers.Power(2.0)
        ),
    }.items():
        with pytest.raises(UsageError, match=message):
            ask()
