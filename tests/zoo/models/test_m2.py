"""M2 and its HMC variant against a mixture of linear-Gaussian laws, whose bounds are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from labelled_gaussian import LAW, NUM_CLASSES, labelled_model
from small_dvaes import wrong

import samplers
import zoo

X, Y = LAW.simulate(40)
UNLABELLED = np.full_like(Y, -1)
THREE = {"num_classes": 3, "label_share": 0.5}


def batch_of(y=UNLABELLED):
    return {"x": tf.constant(X), "y": tf.constant(y)}


def objective(model, y, name="bound"):
    """A metric of one training step, and the gradients of the objective by variable."""
    batch = batch_of(y)
    with tf.GradientTape() as tape:
        context = model.amortise(batch, samplers.as_seed(0))
        objectives, metrics = model.objectives(batch, context, None, samplers.as_seed(1))
        total = sum(objectives.values())
    return float(metrics[name]), tape.gradient(total, model.classifier.trainable_variables)


# Bounds.


def test_with_exact_posteriors_bounds_are_densities():
    """-U = log p(x), and -L = log p(x, y), whatever z is drawn."""
    rows = np.arange(len(Y))
    joint = LAW.log_likelihoods(X)[rows, Y] - np.log(NUM_CLASSES)
    half = np.where(rows < 20, Y, -1)
    for model in (labelled_model(), labelled_model(label_share=1.0)):
        assert objective(model, Y)[0] == pytest.approx(joint.mean(), abs=1e-5)
    model = labelled_model()
    assert objective(model, UNLABELLED)[0] == pytest.approx(LAW.log_likelihood(X).mean(), abs=1e-5)
    mixed = np.where(half >= 0, joint, LAW.log_likelihood(X)).mean()
    assert objective(model, half)[0] == pytest.approx(mixed, abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        ("-tf.reduce_sum(tf.exp(log_q) * log_q, -1)", "tf.reduce_sum(tf.exp(log_q) * log_q, -1)"),
        ('context["y"] == batch["y"], self.dtype)', 'context["y"] != batch["y"], self.dtype)'),
        ("(log_joint - proposal.log_q), 0)", "(log_joint + proposal.log_q), 0)"),
        ("tf.where(labelled, tf.zeros_like(entropy), entropy)", "entropy"),
    ],
)
def test_bounds_can_fail(change):
    model = labelled_model(wrong("zoo.models.m2", *change).M2)
    half = np.where(np.arange(len(Y)) < 20, Y, -1)
    expected, _ = objective(labelled_model(), half)
    assert abs(objective(model, half)[0] - expected) > 0.1


def test_sure_and_unsure_classifiers():
    """One-hot q(y given x): U = L; uniform: -U is the mean of -L over classes plus log 10."""
    model = labelled_model(posterior="wrong")
    kernel, _ = model.classifier.get_weights()
    every = [objective(model, np.full_like(Y, y))[0] for y in range(NUM_CLASSES)]
    model.classifier.set_weights([0 * kernel, 1e4 * np.eye(NUM_CLASSES)[3]])
    assert objective(model, UNLABELLED)[0] == pytest.approx(every[3], rel=1e-5)
    model.classifier.set_weights([0 * kernel, np.zeros(NUM_CLASSES)])
    unsure = np.mean(every) + np.log(NUM_CLASSES)
    assert objective(model, UNLABELLED)[0] == pytest.approx(unsure, rel=1e-5)


def test_what_the_classifier_learns_from():
    """Of unlabelled examples the bound; of labelled ones the cross-entropy alone."""
    model = labelled_model(posterior="wrong", label_share=0.25)
    assert np.abs(objective(model, UNLABELLED)[1][0]).max() > 0.01
    _, gradient = objective(model, Y)
    with tf.GradientTape() as tape:
        log_q = model.class_log_probs(batch_of())
        cross_entropy = -tf.reduce_mean(tf.gather(log_q, Y, batch_dims=1)) * 0.1 / 0.25
    expected = tape.gradient(cross_entropy, model.classifier.trainable_variables)
    for one, other in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


# Answers.


def test_weights_and_classes_are_exact():
    model = labelled_model()
    log_weights = model.log_weights(batch_of(), 3, samplers.as_seed(2))
    np.testing.assert_allclose(log_weights, [LAW.log_likelihood(X)] * 3, atol=1e-4)
    given = model.log_weights(batch_of(Y), 3, samplers.as_seed(2))
    joint = LAW.log_likelihoods(X)[np.arange(len(Y)), Y] - np.log(NUM_CLASSES)
    np.testing.assert_allclose(given, [joint] * 3, atol=1e-4)
    exact = np.exp(LAW.log_posterior(X))
    for num_samples in (0, 2):
        told = model.classify(X, num_samples=num_samples)
        np.testing.assert_allclose(told["probabilities"], exact, atol=1e-4)
        np.testing.assert_array_equal(told["y"], exact.argmax(1))


def test_annealing_finds_the_likelihood_whatever_the_encoder():
    model = labelled_model(posterior="wrong")
    found = zoo.scores.log_likelihood(
        model, {"x": X, "y": Y}, num_chains=16, num_increments=50, verbose=False
    )
    error = found.per_image - LAW.log_likelihood(X)
    assert abs(error.mean()) < 4 * found.chain_stderr + 0.01


def test_draws_of_a_class():
    model, num_samples = labelled_model(), 2000
    for y in (3, 7):
        draws = 2 * model.sample(num_samples, 0, y=y)["x"] - 1
        assert np.abs(z_scores(draws, LAW.biases[y])).max() < 4
    draws = 2 * model.sample(num_samples, 0)["x"] - 1
    assert np.abs(z_scores(draws, LAW.biases.mean(0))).max() < 4
    assert np.abs(z_scores(draws, LAW.biases[3])).max() > 4


def test_analogies_keep_the_style():
    """Decoded as another class, an image changes by the difference of the classes' means."""
    model = labelled_model()
    own = model.reconstruct({"x": X, "y": Y}, 0)["mean"]
    for y in (0, 5):
        other = model.reconstruct({"x": X, "y": Y}, 0, as_label=y)["mean"]
        change = 2 * (other - own)
        np.testing.assert_allclose(change, LAW.biases[y] - LAW.biases[Y], atol=1e-5)
    each = model.reconstruct({"x": X, "y": Y}, 0, as_label=Y)["mean"]
    np.testing.assert_allclose(each, own, atol=1e-6)


def test_labels_are_never_shown_to_scores():
    """Validation and reports say the same of the model whatever the labels, but for accuracies."""
    model = labelled_model(posterior="wrong")
    other = np.roll(Y, 1)
    settings = {"batch_size": 20, "verbose": 0, "return_dict": True}
    first, second = (model.evaluate({"x": X, "y": y}, **settings) for y in (Y, other))
    assert first["bound"] == second["bound"] and first["mse"] == second["mse"]
    assert first["accuracy"] == pytest.approx(np.mean(LAW.log_posterior(X).argmax(1) == Y))
    assert first["accuracy"] != second["accuracy"]
    half = np.where(np.arange(len(Y)) < 20, Y, -1)
    found = model.evaluate({"x": X, "y": half}, **settings)["accuracy"]
    assert found == pytest.approx(np.mean(LAW.log_posterior(X).argmax(1)[:20] == Y[:20]))


# HMC.


def chains(model, y, num_seeds=6):
    """Ends of the chains of a training step, [seeds, A, B, K]."""
    batch = {name: tf.repeat(value[:3], 50, axis=0) for name, value in batch_of(y).items()}

    @tf.function(autograph=False)
    def ends(seed):
        context = model.amortise(batch, samplers.fold_in(seed, "amortise"))
        return model.sample_latents(batch, context, samplers.fold_in(seed, "refine"))[0]

    found = [ends(samplers.as_seed(seed)).numpy() for seed in range(num_seeds)]
    found = [z.reshape(len(z), 3, 50, -1) for z in found]
    return np.concatenate(found, axis=2)  # [A, 3, draws, K]


def test_chains_end_at_the_posterior_of_their_class():
    model = labelled_model(zoo.HMCM2, posterior="wrong", num_steps=15, step_size=0.4, jitter=0.5)
    covariance = LAW.law.posterior_covariance
    ends = chains(model, UNLABELLED)
    for y in (0, 6):
        for image in range(3):
            mean = LAW.of_class(y).posterior_mean(X[image])
            expected = gaussian_moments(mean, covariance)
            assert np.abs(z_scores(moments(ends[y, image]), expected)).max() < 4.5
    mean = LAW.of_class(1).posterior_mean(X[0])  # the test can fail: another class
    assert np.abs(z_scores(moments(ends[0, 0]), gaussian_moments(mean, covariance))).max() > 4.5


def test_the_decoder_climbs_the_density_at_refined_styles():
    """Weighted by q(y given x), without a gradient of that."""
    model = labelled_model(zoo.HMCM2, posterior="wrong", num_steps=2)
    batch, seed = batch_of(), samplers.as_seed(3)
    with tf.GradientTape(persistent=True) as tape:
        context = model.amortise(batch, seed)
        with tape.stop_recording():
            z, _ = model.sample_latents(batch, context, seed)
        objectives, _ = model.objectives(batch, context, z, seed)
    q = np.exp(LAW.log_posterior(X)).T
    log_joint = model.log_joint_of(batch, context["y"], z)
    expected = -np.mean(np.sum(q * log_joint.numpy(), 0))
    assert float(objectives["generation"]) == pytest.approx(expected, rel=1e-5)
    assert tape.gradient(objectives["generation"], model.classifier.trainable_variables[0]) is None
    assert (
        tape.gradient(objectives["inference"], model.classifier.trainable_variables[0]) is not None
    )


# Refusals.


def fitted(y, **kwargs):
    model = labelled_model(label_share=kwargs.pop("label_share", 0.5))
    return model.fit({"x": X} if y is None else {"x": X, "y": y}, batch_size=20, verbose=0)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y.astype(str), "y must hold whole numbers; its dtype was <U"),
        (np.eye(10)[Y], r"y must have the shape \[N\]; it was \[40, 10\]. Give y.argmax\(1\)"),
        (Y.astype(float), "y must hold whole numbers; its dtype was float64"),
        (Y + 5, "y must hold labels from 0 to 9, or -1 for not labelled; they run from 5 to 14"),
        (np.where(Y == 4, -1, Y), "y must hold labels of every class; class 4 has none"),
        (UNLABELLED, "y must hold labels of every class; all were -1"),
        (None, "y must be given, which the model takes; it was missing"),
        (Y[:-1], "y must be as long as x, 40; it was 39"),
    ],
)
def test_bad_labels_are_told(y, message):
    with pytest.raises(zoo.UsageError, match=message):
        fitted(y)


def test_a_model_of_labelled_examples_alone_asks_for_all_labels():
    half = np.where(np.arange(len(Y)) < 20, Y, -1)
    with pytest.raises(zoo.UsageError, match="y must hold labels from 0 to 9; they run from -1"):
        fitted(half, label_share=1.0)


def test_bad_arguments_are_told():
    shape = (4, 4, 1)
    for arguments, message in (
        ({}, "num_classes must be given for data whose labels are not known"),
        ({"num_classes": 3}, "label_share must be given for data whose labels are not known"),
        ({"num_classes": 3, "label_share": 1.5}, "label_share must be greater than 0 and at most"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            zoo.M2.for_data(shape, latent_dim=2, hidden=(4,), **arguments)
    model = labelled_model()
    for ask, message in (
        (lambda: model.sample(2, y=10), "y must hold labels from 0 to 9"),
        (lambda: model.sample(2, label=1), "label must be left out"),
        (lambda: model.reconstruct(X, as_label=[1, 2]), "as_label must be as long as x, 40"),
        (lambda: model.classify(X, num_samples=-1), "num_samples must be"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            ask()


def test_questions_without_labels():
    """By arrays, pipelines and batches; what has no label has no accuracy."""
    model = labelled_model()
    settings = {"verbose": 0, "return_dict": True}
    asked = [model.evaluate(X, batch_size=20, **settings)]
    asked += [model.evaluate(tf.data.Dataset.from_tensor_slices(X).batch(20), **settings)]
    assert asked[0] == asked[1] and "accuracy" not in asked[0]
    assert "accuracy" not in model.metrics_names
    assert model.predict_on_batch(X[:3]).shape == (3, 6)
    assert model(X[:3]).shape == (3, 6)
    with pytest.raises(zoo.UsageError, match="x must give dictionaries with y"):
        model.fit(tf.data.Dataset.from_tensor_slices(X).batch(20), verbose=0)


def test_probabilities_are_no_logits():
    softmax = keras.Sequential([keras.Input((16,)), keras.layers.Dense(3, "softmax")])
    with pytest.raises(zoo.UsageError, match="classifier must give logits; the activation of its"):
        zoo.M2.for_data((16,), latent_dim=2, hidden=(4,), classifier=softmax, **THREE)
    images = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 2)])
    with pytest.raises(zoo.UsageError, match=r"classifier must give logits, \(C,\)"):
        zoo.M2.for_data((4, 4, 1), latent_dim=2, hidden=(4,), classifier=images, **THREE)
    with pytest.raises(zoo.UsageError, match=r"encoder must give features, \(F,\)"):
        zoo.M2.for_data((4, 4, 1), latent_dim=2, hidden=(4,), encoder=images, **THREE)
