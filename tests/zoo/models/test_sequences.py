"""What is asked of models of sequences: draws, continuations, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from linear_dynamical import A, C, F, Q, R, kalman, sequences, system

import samplers
import zoo


@pytest.fixture(scope="module")
def model():
    model = system()
    model.compile(jit_compile=False)  # which would take longer than what it compiles
    return model


def test_draws_have_the_length_that_is_asked_for(model):
    drawn = model.sample(4, 0, length=3)
    assert drawn["x"].shape == (4, 6, 2) and drawn["finite"].all()
    assert (
        drawn["x"][:, :3].all() and not drawn["x"][:, 3:].any() and not drawn["mean"][:, 3:].any()
    )
    whole = model.sample(4, 0)
    assert whole["x"].all()
    np.testing.assert_allclose(whole["x"][:, :3], drawn["x"][:, :3], atol=1e-12)


def test_draws_follow_the_system(model):
    """Variances of the first two steps, and their covariance, of 4,000 draws."""
    x = model.sample(4000, 1)["x"][:, :2].reshape(4000, 4)
    first = np.diag(Q)
    second = F @ first @ F.T + np.diag(Q)
    covariance = np.block([[first, first @ F.T], [F @ first, second]])
    scale = np.diag(np.tile(C, 2))
    expected = scale @ covariance @ scale + np.diag(np.tile(R, 2))
    of_the_first = np.eye(4) + np.diag(A, -2)  # x_2 has A x_1 in it
    expected = of_the_first @ expected @ of_the_first.T
    products = x[:, :, None] * x[:, None, :]
    assert np.abs((products.mean(0) - expected) / samplers.standard_error(products)).max() < 4.5


def test_continuations_follow_the_filter(model):
    """Of one sequence, 3 steps of which are seen: the density of the fourth is the Kalman's."""
    x = sequences(1)["x"].numpy()
    visible = np.repeat(np.arange(6)[:, None] < 3, 2, 1)
    many = np.repeat(x, 3000, 0)
    completed = model.inpaint(many, visible, 0)
    np.testing.assert_array_equal(completed["x"][:, :3], many[:, :3])
    # E[1 / p(x_4 given x_1 to x_3)] over a box is its volume, if p is what x_4 is drawn from.
    middle = completed["x"][:, 3].mean(0)
    within = (np.abs(completed["x"][:, 3] - middle) < 0.5).all(-1)
    density = [
        np.exp(kalman(np.append(x[0, :3], [one], 0))[-1]) for one in completed["x"][within, 3]
    ]
    volumes = np.zeros(3000)
    volumes[within] = 1 / np.array(density)
    assert abs((volumes.mean() - 1) / samplers.standard_error(volumes)) < 4.5


def test_lengths_end_continuations(model):
    x = sequences(2)["x"].numpy()
    visible = np.repeat(np.arange(6)[:, None] < 2, 2, 1)
    completed = model.inpaint({"x": x, "length": np.array([4, 6])}, visible, 0)["x"]
    assert completed[0, 2:4].all() and not completed[0, 4:].any() and completed[1].all()


def test_reconstructions_end_with_the_length(model):
    batch = {name: value.numpy() for name, value in sequences(3).items()}
    found = model.reconstruct(batch, 0)
    beyond = np.arange(6) >= batch["length"][:, None]
    assert found["x"][~beyond].all() and not found["x"][beyond].any()
    assert not model.encode(batch, 0)["z"][beyond].any()


X = np.zeros([2, 6, 2])
MEAN = {"name": "gaussian", "mean": [1.0]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": X, "length": [0, 6]}, "length must hold lengths from 1 to 6; they run from 0 to 6"),
        ({"x": X, "length": [3, 7]}, "length must hold lengths from 1 to 6; they run from 3 to 7"),
        ({"x": X, "length": [3]}, "length must be as long as x, 2; it was 1"),
        ({"x": X, "length": [3.5, 2]}, "length must hold whole numbers"),
        ({"x": X + np.nan}, "x must be finite"),
        (
            {"x": np.where(np.arange(6)[:, None] > 3, np.nan, X), "length": [3, 3]},
            "x must be finit",
        ),
        ({"x": X[..., :1]}, r"x must have the shape \[N, 6, 2\]"),
        ({"x": X[:, :5]}, r"x must have the shape \[N, 6, 2\]"),
    ],
)
def test_what_is_no_sequence_is_told(model, given, message):
    for ask in (model.reconstruct, model.log_likelihood, lambda x: model.evaluate(x, verbose=0)):
        with pytest.raises(zoo.UsageError, match=f"^{message}"):
            ask(given)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m: m.sample(2, 0, length=7), "length must hold lengths from 1 to 6"),
        (lambda m: m.sample(2, 0, length=0), "length must hold lengths from 1 to 6"),
        (
            lambda m: m.inpaint(X, np.eye(6, 2) > 0, 0),
            "visible must be a mask that is True for the",
        ),
        (lambda m: m.inpaint(X, X > -1, 0, num_steps=5), "num_steps must be left out"),
        (lambda m: system(truncation=-1), "truncation must be"),
        (lambda m: zoo.VRNN.for_data(X, cell="rnn"), "cell: unknown value 'rnn'"),
        (lambda m: zoo.RNN.for_data(X, cell=keras.layers.LSTM(4)), "cell must be a Keras cell"),
        (lambda m: zoo.RNN.for_data(X, cell=5), "cell must be a Keras cell, .* it was a int"),
        (lambda m: m.filtered(sequences(1), 3, 0, proposal="q"), "proposal: unknown value 'q'"),
        (
            lambda m: m.log_joint(sequences(1), np.zeros([1, 1, 6, 2]), X > 0),
            "visible must be left",
        ),
        (
            lambda m: zoo.VRNN.for_data(X, emission="pen_strokes"),
            "emission: 'pen_strokes' must have",
        ),
        (
            lambda m: zoo.VRNN.for_data(X, emission=MEAN),
            "mean must have a number for each of the 2",
        ),
        (
            lambda m: zoo.VAE.for_data(zoo.data.load("digit_rows")),
            "data must hold examples without",
        ),
        (lambda m: zoo.RNN(None, None, None, emission="gaussian", max_length=3), "x_features must"),
    ],
)
def test_mistakes_are_told(model, ask, message):
    with pytest.raises(zoo.UsageError, match=f"^({message})"):
        ask(model)


def test_a_cell_with_dropout_is_refused():
    with pytest.raises(zoo.UsageError, match="^cell must have no dropout; it was 0.5"):
        zoo.RNN.for_data(X, cell=keras.layers.GRUCell(3, dropout=0.5))


def test_an_rnn_has_equal_weights():
    """Without latents every weight, bound and filter is log p(x)."""
    model = zoo.RNN.for_data(X, units=4, hidden=(4,), emission={"name": "gaussian"})
    batch = sequences(3)
    batch = {"x": tf.cast(batch["x"], tf.float32), "length": batch["length"]}
    log_weights = model.log_weights(batch, 4, 0)
    np.testing.assert_allclose(log_weights, np.repeat(log_weights[:1], 4, 0), rtol=1e-5)
    _, metrics = model.objectives(batch, model.amortise(batch, 0), None, 0)
    np.testing.assert_allclose(metrics["bound"], np.mean(log_weights), rtol=1e-5)
    assert set(metrics) == {"bound"}
