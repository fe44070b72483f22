"""Annealed training and its special cases, on models with closed forms and against each other."""

import contract
import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, mutant, z_scores
from linear_gaussian import linear_gaussian, linear_model

import samplers
import zoo
from samplers import annealed

LAW = linear_gaussian()
UNEVEN = tf.constant([0.0, 0.1, 0.3, 1.0], tf.float64)
# What is replaced in samplers/annealed.py, and by what.
WRONG = {
    "weight index": ("increments[t] * difference", "tf.roll(increments, 1, 0)[t] * difference"),
    "stale cached gradient": (
        "(0, point, kick(momentum, point, 0.5))",
        "(0, point, kick(momentum, point._replace(grad_final=point.grad_initial), 0.5))",
    ),
}


def diagonal_law():
    """Latents that are independent given x, so that a mean-field posterior is exact."""
    law = linear_gaussian()
    law.weights = np.linalg.qr(law.weights)[0] * [0.2, 0.15, 0.1]
    return law


def relative_weights(module, last_move=True):
    """Annealed weights from a wrong q over p(x), on an uneven schedule: their mean is 1."""
    model, x = linear_model(zoo.VAE, LAW), LAW.simulate(4)

    @tf.function(jit_compile=True, autograph=False)
    def run(x, seed):
        posterior, z = model._draw(x, 20_000, samplers.fold_in(seed, "draw"))
        return module.annealed_importance_sampling(
            posterior.log_prob,
            lambda z: model.log_joint(x, z),
            z,
            UNEVEN,
            move=module.hamiltonian_move(3),
            step_size=0.2,
            last_move=last_move,
            seed=samplers.fold_in(seed, "anneal"),
        )

    result = run(tf.constant(x), samplers.as_seed(3))
    return np.exp(result.log_weights.numpy() - LAW.log_likelihood(x))


def test_mean_weight_is_the_likelihood():
    weights = relative_weights(annealed)
    assert np.abs(z_scores(weights, 1.0)).max() < 4
    assert (weights.std(0) / np.sqrt(len(weights)) < 0.06).all()
    np.testing.assert_array_equal(weights, relative_weights(annealed, last_move=False))


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_weights_are_rejected(change):
    assert np.abs(z_scores(relative_weights(mutant("samplers.annealed", *change)), 1.0)).max() > 4


def test_any_reversible_move_can_be_used():
    """A Metropolis move with a Gaussian proposal instead of the Hamiltonian one."""

    def random_walk(evaluate, point, beta, step_size, seed):
        noise = samplers.normal(tf.shape(point.state), samplers.fold_in(seed, "noise"))
        proposal = evaluate(point.state + step_size[..., None] * noise)
        log_ratio = proposal.log_density(beta) - point.log_density(beta)
        u = samplers.uniform(tf.shape(log_ratio), samplers.fold_in(seed, "accept"))
        accepted = tf.math.log(u) < log_ratio
        return tf.nest.map_structure(
            lambda new, old: tf.where(
                accepted[..., None] if new.shape.rank > 2 else accepted, new, old
            ),
            proposal,
            point,
        ), log_ratio

    model, x = linear_model(zoo.VAE, LAW), LAW.simulate(2)
    posterior, z = model._draw(tf.constant(x), 20_000, samplers.as_seed(0))
    result = annealed.annealed_importance_sampling(
        posterior.log_prob,
        lambda z: model.log_joint(x, z),
        z,
        samplers.linear_schedule(8),
        move=random_walk,
        step_size=0.3,
        seed=1,
    )
    weights = np.exp(result.log_weights.numpy() - LAW.log_likelihood(x))
    assert np.abs(z_scores(weights, 1.0)).max() < 4


@pytest.mark.parametrize("schedule", ["linear", "sigmoid", "jump"])
def test_an_exact_posterior_has_no_variance(schedule):
    law = diagonal_law()
    model = linear_model(zoo.AnnealedVAE, law, posterior="exact", schedule=schedule)
    x = law.simulate(20)
    context, latents = halves(model, x)
    result = model.anneal(tf.constant(x), context["posterior"], context["z"], samplers.as_seed(1))
    expected = np.broadcast_to(law.log_likelihood(x), (5, 20))
    np.testing.assert_allclose(result.log_weights, expected, atol=1e-4)
    np.testing.assert_allclose(latents.weights, 0.2, atol=1e-4)


def test_dreg_has_no_variance_at_the_exact_posterior():
    law = diagonal_law()
    x = law.simulate(20)
    largest = {}
    for gradient in ("dreg", "plain"):
        model = linear_model(zoo.IWAE, law, posterior="exact", gradient=gradient)
        largest[gradient] = max(np.abs(g).max() for g in gradients(model, x)["inference"])
    assert largest["dreg"] < 1e-3 < 0.1 < largest["plain"]


def halves(model, x, seed=0):
    """What a training step draws: its context, and the latents of the E half."""
    seed = samplers.as_seed(seed)
    batch = {"x": tf.constant(x)}
    context = model.amortise(batch, samplers.fold_in(seed, "amortise"))
    return context, model.sample_latents(batch, context, samplers.fold_in(seed, "latents"))[0]


def gradients(model, x, num_seeds=1):
    """What training steps descend: gradients of each group's objective, [seeds, ...] each."""

    @tf.function(autograph=False)
    def step(x, seed):
        batch = {"x": x}
        with tf.GradientTape(persistent=True) as tape:
            context = model.amortise(batch, samplers.fold_in(seed, "amortise"))
            with tape.stop_recording():
                latents, _ = model.sample_latents(batch, context, samplers.fold_in(seed, "latents"))
            objectives, _ = model.objectives(batch, context, latents, seed)
        groups = model._inference_and_generation if "elbo" in objectives else model.parameter_groups
        return {
            group: tape.gradient(objectives.get(group, objectives.get("elbo")), variables)
            for group, variables in groups.items()
        }

    steps = [step(tf.constant(x), samplers.as_seed(k)) for k in range(num_seeds)]
    return tf.nest.map_structure(lambda *values: np.stack(values), *steps)


SPECIAL_CASES = {
    "VAE": (zoo.VAE, {}, {"num_samples": 1, "num_increments": 1, "last_move": False}),
    "IWAE": (zoo.IWAE, {}, {"num_increments": 1, "last_move": False}),
    "MH-HMC": (
        zoo.MHHMC,
        {"num_samples": 3},
        {"num_samples": 3, "schedule": "jump", "weights": "equal"},
    ),
    "MH-HMC, one chain, annealed weights": (
        zoo.MHHMC,
        {"num_samples": 1},
        {"num_samples": 1, "schedule": "jump"},
    ),
}


@pytest.mark.parametrize("name", SPECIAL_CASES)
def test_special_cases(name, digits, images):
    """With the same noise the general algorithm's gradients are those of the case, bit for bit."""
    special, own, settings = SPECIAL_CASES[name]
    x = np.round(images)
    sizes = {"latent_dim": 4, "hidden": (16,)}
    case, general = (
        gradients(method.for_data(digits, **sizes, **kwargs), x)
        for method, kwargs in ((special, own), (zoo.AnnealedVAE, settings))
    )
    groups = ["generation"] if special is zoo.IWAE else ["generation", "inference"]
    for group in groups:
        contract.assert_equal(case[group], general[group])
        assert all(np.abs(g).max() > 0 for g in case[group])


def test_mh_hmc_is_the_mean_over_chains(digits, images):
    """Written down: chains that make every move at temperature 1, and the mean of log p(x, z)."""
    model = zoo.MHHMC.for_data(digits, latent_dim=4, hidden=(16,), num_samples=3)
    x, seed = tf.constant(np.round(images)), samplers.as_seed(0)
    posterior, z = model._draw(x, 3, samplers.fold_in(seed, "amortise"))
    result = annealed.annealed_importance_sampling(
        posterior.log_prob,
        lambda z: model.log_joint(x, z),
        z,
        tf.ones([5], tf.float64),
        move=annealed.hamiltonian_move(5),
        step_size=0.1,
        seed=samplers.fold_in(seed, "latents"),
    )
    with tf.GradientTape() as tape:
        objective = -tf.reduce_mean(model.log_joint(x, result.state))
    expected = tape.gradient(objective, model.decoder.trainable_variables)
    for a, b in zip(gradients(model, x)["generation"], expected, strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shear", [False, True])
def test_importance_weighted_bound_is_climbed(shear, digits, images):
    """Plain gradients are those of the bound itself, written down and differentiated."""
    model = zoo.IWAE.for_data(
        digits, gradient="plain", latent_dim=4, hidden=(16,), shear=shear, num_samples=3
    )
    x = np.round(images)
    found = gradients(model, x)
    with tf.GradientTape(persistent=True) as tape:
        seed = samplers.fold_in(samplers.as_seed(0), "amortise")
        log_weights = model.log_weights(tf.constant(x), model.num_samples, seed)
        bound = tf.reduce_mean(tf.reduce_logsumexp(log_weights, 0) - np.log(model.num_samples))
        objective = -bound
    for group, variables in model.parameter_groups.items():
        for a, b in zip(found[group], tape.gradient(objective, variables), strict=True):
            np.testing.assert_allclose(a[0], b, rtol=1e-4, atol=1e-5)
    dreg = zoo.IWAE.for_data(digits, latent_dim=4, hidden=(16,), shear=shear, num_samples=3)
    contract.assert_equal(gradients(dreg, x)["generation"], found["generation"])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dreg_equals_the_plain_gradient_with_less_variance(num_layers):
    x = np.repeat(LAW.simulate(1), 200, axis=0)
    draws = {}
    for gradient in ("dreg", "plain"):
        model = linear_model(zoo.IWAE, LAW, num_samples=4, gradient=gradient)
        if num_layers == 2:
            model = two_layers(zoo.IWAE, num_samples=4, gradient=gradient)[0]
        # Of each encoder the bias alone, mu and log sigma: there is one image only.
        biases = gradients(model, x, 60)["inference"][1::2]
        assert len(biases) == num_layers
        draws[gradient] = np.concatenate(biases, axis=1)
    error = draws["dreg"] - draws["plain"]  # the noise is shared
    assert np.abs(z_scores(error, 0.0)).max() < 4
    assert (draws["dreg"].std(0) < draws["plain"].std(0)).mean() > 0.8
    assert np.abs(z_scores(draws["dreg"], 0.0)).max() > 4


def test_inferred_latents_are_those_of_the_posterior():
    """Draws of q_AIS and q_IS, from a wrong q; chains of equal weight that never move stay at q."""
    image = LAW.simulate(1)
    truth = LAW.posterior_mean(image)[0]
    still = {"num_increments": 1, "last_move": False}
    error = {}
    for name, kwargs in {
        "annealed": {"num_samples": 4, "num_increments": 12, "step_size": 0.2},
        "weighed": {"num_samples": 300} | still,
        "neither": {"num_samples": 4, "weights": "equal"} | still,
    }.items():
        model = linear_model(zoo.AnnealedVAE, LAW, **kwargs)
        infer = tf.function(model.infer, autograph=False)
        z = infer(tf.constant(image), 2000, samplers.as_seed(0))[0].numpy()[:, 0]
        error[name] = np.linalg.norm(z.mean(0) - truth)
        if name == "annealed":
            expected = gaussian_moments(truth, LAW.posterior_covariance)
            assert np.abs(z_scores(moments(z), expected)).max() < 4
    assert error["weighed"] < 0.4 * error["neither"]


def test_bias_falls_with_the_number_of_increments():
    """The decoder's gradient tends to that of log p(x) (Fisher's identity) as T grows."""
    image = LAW.simulate(1)
    x = np.repeat(image, 4000, axis=0)
    truth = LAW.bias_gradient(image)[0]
    bias, error = {}, {}
    for num_increments in (1, 4, 32):  # with one, there is no move
        model = linear_model(
            zoo.AnnealedVAE,
            LAW,
            num_samples=2,
            num_increments=num_increments,
            last_move=False,
            step_size=0.2,
        )
        draws = -gradients(model, x, 12)["generation"][1]
        bias[num_increments] = np.linalg.norm(draws.mean(0) - truth)
        error[num_increments] = np.linalg.norm(draws.std(0, ddof=1)) / np.sqrt(len(draws))
    assert bias[1] - bias[4] > 4 * np.hypot(error[1], error[4])
    assert bias[4] - bias[32] > 4 * np.hypot(error[4], error[32])
    assert bias[32] < 4 * error[32] + 0.02 * np.linalg.norm(truth)


def test_each_move_has_a_step_size_of_its_own(digits):
    model = zoo.AnnealedVAE.for_data(digits, latent_dim=4, hidden=(16,), num_increments=3)
    statistics = {"accept_prob": tf.constant([[0.5, 0.9, 0.59], [0.6, 0.4, 0.6]])}
    ((variable, value),) = model.next_state(statistics)
    assert variable is model.step_size
    np.testing.assert_allclose(value, 0.1 * np.array([0.998, 1.002, 0.998]), rtol=1e-6)


def test_two_layers_in_closed_form():
    """z_2 ~ N(0, 1), z_1 ~ N(V z_2, s^2), x ~ N(W z_1 + b, ...): all of it one Gaussian."""
    model, law, x = two_layers()
    estimates = [
        zoo.scores.log_likelihood(
            model, x, num_chains=32, num_increments=40, start=start, verbose=False
        )
        for start in ("posterior", "prior")
    ]
    for estimate in estimates:
        error = estimate.mean - law.log_likelihood(x).mean()
        assert abs(error) < 4 * estimate.chain_stderr
        assert estimate.chain_stderr < 0.06
    one, many = (
        zoo.scores.importance_weighted_bound(model, x, num_samples=n).mean for n in (1, 5000)
    )
    assert one + 5 < many < law.log_likelihood(x).mean()
    bdmc = zoo.scores.bidirectional(
        model, num_images=50, num_chains=8, num_increments=40, start="prior", verbose=False
    )
    assert -4 * bdmc.gap_stderr < bdmc.gap < 1


def two_layers(method=zoo.VAE, **kwargs):
    """A model with two linear stochastic layers, the law of its images, and images."""
    upper_size = 2
    rng = np.random.default_rng(5)
    v, scale = rng.standard_normal((3, upper_size)), 0.5
    lower = linear_model(zoo.VAE, LAW)
    upper_encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2 * upper_size)])
    upper_encoder.set_weights([np.zeros((3, 4)), np.repeat([0.1, np.log(0.8)], upper_size)])
    upper_decoder = keras.Sequential([keras.Input((upper_size,)), keras.layers.Dense(6)])
    kernel = np.concatenate([v.T, np.zeros((upper_size, 3))], 1)
    upper_decoder.set_weights([kernel, np.repeat([0.0, np.log(scale)], 3)])
    model = method(
        lower.encoder,
        lower.decoder,
        likelihood=zoo.parts.likelihoods.Gaussian(LAW.scale),
        upper_encoder=upper_encoder,
        upper_decoder=upper_decoder,
        **kwargs,
    )
    model.compile("sgd", jit_compile=False)
    # z_1 ~ N(0, V V^T + s^2 I) = C e with e ~ N(0, I), so the images are those of the weights W C.
    law = linear_gaussian()
    law.weights = LAW.weights @ np.linalg.cholesky(v @ v.T + scale**2 * np.eye(3))
    return model, law, law.simulate(20)


@pytest.mark.parametrize(
    "clause",
    [
        contract.builds_from_its_config,
        contract.fit_lowers_the_objectives_and_repeats,
        contract.saves_loads_and_resumes,
        contract.answers_by_seed,
    ],
    ids=lambda clause: clause.__name__,
)
def test_two_layers_keep_the_contract(clause, digits, images, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo.IWAE, "tiny", zoo.IWAE.tiny | {"upper_latent_dim": 3})
    clause(zoo.IWAE, digits, images, tmp_path)


def test_mistakes_are_told(digits):
    upper = keras.Sequential([keras.Input((3,)), keras.layers.Dense(8)])
    sizes = {"latent_dim": 4, "hidden": (16,)}
    both = {"upper_encoder": upper, "upper_decoder": upper}
    for message, method, arguments in (
        ("upper_encoder must map 4 numbers to 6", zoo.VAE, both),
        ("must be given both, or neither", zoo.VAE, {"upper_encoder": upper}),
        ("must be given both, or neither", zoo.VAE, {"upper_decoder": upper}),
        ("give it, or them", zoo.VAE, both | {"upper_latent_dim": 3}),
        ("num_increments is fixed in this special case", zoo.IWAE, {"num_increments": 4}),
        ("step_size is fixed in this special case", zoo.IWAE, {"step_size": 0.2}),
        ("schedule is fixed in this special case", zoo.MHHMC, {"schedule": "linear"}),
        ("target_accept must be less than 1; it was 1.5", zoo.MHHMC, {"target_accept": 1.5}),
        ("step_size must be from min_step_size, 0.001", zoo.AnnealedVAE, {"step_size": 0.5}),
        ("gradient: unknown value 'drag'; did you mean 'dreg'", zoo.IWAE, {"gradient": "drag"}),
        ("weights: unknown value 'equals'", zoo.AnnealedVAE, {"weights": "equals"}),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            method.for_data(digits, **sizes, **arguments)


def test_step_sizes_must_fit_the_moves():
    with pytest.raises(ValueError, match="for each of 3 moves; its shape was"):
        annealed.annealed_importance_sampling(
            lambda z: -tf.reduce_sum(z**2, -1),
            lambda z: -tf.reduce_sum(z**2, -1),
            tf.zeros([2, 1]),
            samplers.linear_schedule(4),
            move=annealed.hamiltonian_move(1),
            step_size=tf.ones([4]),
            last_move=False,
            seed=0,
        )
