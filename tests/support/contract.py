"""What every registered model does: one function per clause, over the class and tiny real data.

A model's own test file holds only what is special to its method. To join, a model registers with
`@zoo.register(tiny=...)`; nothing here names one.
"""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from serving import run_alone
from training import (
    BATCH,
    assert_equal,
    build,
    conditions,
    fit,
    has_encoder,
    mask,
    train_images,
    two_replicas,
    variables,
    weights,
)

import zoo


def builds_from_its_config(method, data, images, tmp_path):
    model = build(method, data)
    config = model.get_config()
    assert method.from_config(config).get_config() == config
    assert config["seed"] == model.seed


def fit_lowers_the_objectives_and_repeats(method, data, images, tmp_path):
    """Compiled by XLA; `saves_loads_and_resumes` has equal weights of two programs without."""
    model, same = (build(method, data, jit_compile=True) for _ in range(2))
    other = build(method, data, seed=1)
    assert_equal(weights(model), weights(same))
    assert not np.array_equal(model.trainable_variables[0], other.trainable_variables[0])
    model.optimizer.build(model.trainable_variables)
    start, ends = weights(model), []
    for _ in range(2):
        for variable, value in zip(variables(model), start, strict=True):
            variable.assign(value)
        history = fit(model, data, epochs=6).history
        ends.append(weights(model))
    assert_equal(*ends)
    for group in model.parameter_groups:
        objective = history[f"{group}_objective"]
        assert objective[-1] < objective[0], group


def traces_the_step_once(method, data, images, tmp_path):
    model = build(method, data)
    traces, train_step = [], model.train_step
    model.train_step = lambda batch: traces.append(1) or train_step(batch)
    fit(model, data, epochs=3)
    assert len(traces) == 1


def saves_loads_and_resumes(method, data, images, tmp_path):
    """Two epochs are one epoch, a `.keras` file or a checkpoint, and one more; bit for bit."""
    model, after_one = build(method, data), []

    def save(epoch, logs):
        if epoch == 0:
            model.save(tmp_path / "model.keras")
            after_one.extend([weights(model), model.predict(images, verbose=0)])
        else:
            (tmp_path / "checkpoints" / "epoch-000002.npz").unlink()

    checkpoints = zoo.Checkpoints(tmp_path / "checkpoints")
    callbacks = [checkpoints, keras.callbacks.LambdaCallback(on_epoch_end=save)]
    fit(model, data, epochs=2, callbacks=callbacks)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is method
    assert_equal(weights(loaded), after_one[0])
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), after_one[1])
    for variable in (loaded.trainable_variables[0], *loaded.optimizer.variables):
        variable.assign(0 * variable)
    assert checkpoints.restore(loaded) == 1
    fit(loaded, data, epochs=2, initial_epoch=1)
    assert_equal(weights(model), weights(loaded))


def evaluation_writes_nothing(method, data, images, tmp_path):
    model = build(method, data)
    before = weights(model)
    first = model.evaluate(images, verbose=0, return_dict=True)
    assert first == model.evaluate(images, verbose=0, return_dict=True)
    assert_equal(before, weights(model))


def takes_what_keras_users_pass(method, data, images, tmp_path):
    x = train_images(data, 2)
    y = np.zeros(len(x), np.int32)
    model = build(method, data)
    pipelines = [  # and `x` alone, as everywhere
        ({"x": x},),
        (x, y),
        (data.train.take(2),),
    ]
    by_number = tf.data.Dataset.from_tensor_slices({"x": x, "index": np.arange(len(x))})
    without = [
        (tf.data.Dataset.from_tensor_slices(elements).batch(BATCH, drop_remainder=True),)
        for elements in (x, (x, y), {"x": x})
    ]
    if model.num_examples is None:
        pipelines += without[:1]
    else:
        pipelines.append((by_number.batch(BATCH, drop_remainder=True),))
        for arguments in without:
            with pytest.raises(zoo.UsageError, match="each example's number, index"):
                model.fit(*arguments)
    for arguments in pipelines:
        batch_size = None if isinstance(arguments[0], tf.data.Dataset) else BATCH
        model.fit(*arguments, batch_size=batch_size, verbose=0, validation_data=images)
    assert model.optimizer.iterations == 2 * len(pipelines)
    mean = model.predict(images, verbose=0)
    assert mean.shape == images.shape
    if model.num_examples is not None:
        other = by_number.map(lambda e: e | {"index": e["index"] + model.num_examples})
        with pytest.raises(zoo.UsageError, match="index must be below the number of examples"):
            model.fit(other.batch(BATCH), verbose=0)


def answers_by_seed(method, data, images, tmp_path):
    """Shapes, ranges, equal seeds, and untouched visible pixels."""
    model = build(method, data)
    visible = mask(model, data, "left")
    for ask in (
        lambda seed: model.sample(len(images), seed, **conditions(model, images)),
        lambda seed: model.reconstruct(images, seed),
        lambda seed: model.inpaint(images, visible, seed, num_steps=4),
    ):
        one, two, other = ask(3), ask(3), ask(4)
        for name in ("x", "mean"):
            assert one[name].shape == images.shape
            assert np.isfinite(one[name]).all()
            np.testing.assert_array_equal(one[name], two[name])
        assert not np.array_equal(one["x"], other["x"])
    completed = model.inpaint(images, visible, 0, num_steps=4)
    for value in completed.values():
        np.testing.assert_array_equal(value[:, visible], images[:, visible])
        assert not np.array_equal(value[:, ~visible], images[:, ~visible])


def exports_to_tensorflow_alone(method, data, images, tmp_path):
    """In a fresh process without the project and Keras, the endpoints give the same answers."""
    model = build(method, data)
    fit(model, data)
    shorter = {"num_increments": 10, "num_samples": 100}  # for time
    known = {field.name for field in dataclasses.fields(model.scoring)}
    model.scoring = dataclasses.replace(
        model.scoring, **{k: v for k, v in shorter.items() if k in known}
    )
    zoo.export(model, tmp_path / "export")
    visible = np.broadcast_to(mask(model, data, "top"), images.shape)
    given = conditions(model, images)
    np.savez(tmp_path / "inputs.npz", x=images, visible=visible, **given)
    program = f"""
        import numpy as np, tensorflow as tf
        endpoints = tf.saved_model.load({str(tmp_path / "export")!r})
        inputs, seed = np.load({str(tmp_path / "inputs.npz")!r}), tf.constant([0, 0])
        x, visible = tf.constant(inputs["x"]), tf.constant(inputs["visible"])
        given = {{name: tf.constant(inputs[name]) for name in {list(given)}}}
        answers = dict(
            sample=endpoints.signatures["sample"](num_samples=tf.constant(7), seed=seed, **given),
            reconstruct=endpoints.signatures["reconstruct"](x=x, seed=seed),
            inpaint=endpoints.signatures["inpaint"](
                x=x, visible=visible, seed=seed, num_steps=tf.constant(10)),
            encode=endpoints.signatures["encode"](x=x, seed=seed),
            log_likelihood=endpoints.signatures["log_likelihood"](x=x[:9], seed=seed),
        )
        np.savez({str(tmp_path / "answers.npz")!r},
                 **{{f"{{a}}.{{n}}": v for a, o in answers.items() for n, v in o.items()}})
    """
    run_alone(program, cwd=tmp_path)
    answers = np.load(tmp_path / "answers.npz")
    expected = {
        "sample": model.sample(7, 0, **given),
        "reconstruct": model.reconstruct(images, 0),
        "inpaint": model.inpaint(images, visible, 0, num_steps=10),
        "encode": model.encode(images, 0),
    }
    for endpoint, outputs in expected.items():
        for name, value in outputs.items():
            np.testing.assert_allclose(answers[f"{endpoint}.{name}"], value, atol=1e-4)
    for name in ("x", "mean"):
        np.testing.assert_array_equal(answers[f"inpaint.{name}"][visible], images[visible])
    # Hundreds of transitions part in the last bits, and then in accepts.
    estimate = model.log_likelihood(images[:9], 0)
    error = answers["log_likelihood.log_likelihood"] - estimate["log_likelihood"]
    assert (abs(error) < 4 * np.hypot(estimate["stderr"], answers["log_likelihood.stderr"])).all()


def trains_on_two_replicas(method, data, images, tmp_path):
    """Different noise, equal weights and state on both, with the chain compiled by XLA."""
    strategy = two_replicas()
    with strategy.scope():
        model = build(method, data, jit_compile=True)
    assert fit(model, data).history
    seeds = strategy.experimental_local_results(strategy.run(lambda: model.seed_of("train", 0)))
    assert not np.array_equal(*seeds)
    figures = model.evaluate(images[:33], batch_size=32, verbose=0, return_dict=True)
    assert all(np.isfinite(value) for value in figures.values())
    with pytest.raises(zoo.UsageError, match="batch_size must be a multiple of the 2 replicas"):
        model.fit(images, batch_size=25, verbose=0)
    for variable in variables(model):
        assert_equal(*[[r] for r in strategy.experimental_local_results(variable.value)])


def takes_any_fitting_networks(method, data, images, tmp_path):
    """A convolutional encoder and decoder instead of the fully connected ones."""
    plain = build(method, data)
    latent_dim = plain.latent_dim
    height, width, channels = data.shape
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input(data.shape),
            layers.Conv2D(4, 3, 2, "same", activation="softplus"),
            layers.Flatten(),
            layers.Dense(2 * latent_dim),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(height * width),
            layers.Reshape((height // 2, width // 2, 4)),
            layers.Conv2DTranspose(channels, 3, 2, "same"),
        ]
    )
    networks = {"decoder": decoder}
    if has_encoder(plain):
        networks["encoder"] = encoder
    model = build(method, data, **networks)
    assert all(getattr(model, name) is network for name, network in networks.items())
    before = [w.copy() for w in decoder.get_weights()]
    fit(model, data)
    assert not np.array_equal(before[0], decoder.get_weights()[0])
    assert model.reconstruct(images)["mean"].shape == images.shape
    small = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(5)])
    if has_encoder(plain):
        with pytest.raises(zoo.UsageError, match="decoder must give"):
            build(method, data, encoder=encoder, decoder=small)


def refuses_bad_input(method, data, images, tmp_path):
    """One sentence that names the argument; the model is untouched."""
    model = build(method, data)
    before = [v.numpy() for v in model.variables]
    nan = images.copy()
    nan[0, 0] = np.nan
    visible = zoo.data.mask("left", data.shape)
    weighted = tf.data.Dataset.from_tensors((images, images[:, 0], images[:, 0]))
    noisy = keras.Sequential(
        [
            keras.Input((model.latent_dim,)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(math.prod(data.shape)),
            keras.layers.Reshape(data.shape),
        ]
    )
    without_latents = {k: [0] if k.endswith("s") else 0 for k in method.tiny if "latent" in k}
    bad = {"x": 16 * images, "index": np.arange(len(images))}
    bad_pipeline = tf.data.Dataset.from_tensor_slices(bad).batch(BATCH)
    for message, ask in {
        r"x must have the shape \[N, 8, 8, 1\]; it was": lambda: model.fit(images[..., 0]),
        "x must be finite; it holds NaN": lambda: model.fit(nan),
        r"pixels in \[0, 1\]; they run from 0 to 16": lambda: model.fit(16 * images),
        "x must hold finite pixels": lambda: model.fit(bad_pipeline, verbose=0),
        "x must have the shape": lambda: model.fit(
            bad_pipeline.map(lambda e: e | {"x": e["x"][..., 0]})
        ),
        "x must be a batch of at least one": lambda: model.fit(images[:0]),
        "x must be a key of the dictionary": lambda: model.fit({"images": images}),
        "x must hold at least one batch": lambda: model.fit(bad_pipeline.take(0)),
        "sample weights are not used": lambda: model.fit(weighted),
        "batch_size must be greater than 0; it was 0": lambda: model.fit(images, batch_size=0),
        "batch_size must be a whole number": lambda: model.evaluate(images, batch_size=2.5),
        "without sample weights": lambda: model.fit(images, validation_data=(images, 0, 0)),
        "x must hold pixels in .0, 1.; they run from 0 to 16": lambda: model.predict(16 * images),
        r"x must have the shape \[N, 8, 8, 1\]; it was \[8, 8, 1\]": lambda: model.inpaint(
            images[0], visible
        ),
        "must not hold batch normalisation, dropout": lambda: build(method, data, decoder=noisy),
        "x must hold numbers": lambda: model.reconstruct(images.astype(str)),
        "x must fill at least one batch": lambda: model.fit(images, batch_size=500),
        "sample_weight is not supported": lambda: model.fit(images, sample_weight=images[:, 0]),
        "compile does not take loss": lambda: model.compile("adam", loss="mse"),
        "num_samples must be greater than 0; it was 0": lambda: model.sample(0),
        "num_samples must be a whole number; it was 1.5": lambda: model.sample(1.5),
        "num_steps must be greater than 0": lambda: model.inpaint(images, visible, num_steps=0),
        "visible must be a boolean mask": lambda: model.inpaint(images, visible.astype(int)),
        "visible must have the shape": lambda: model.inpaint(images, visible[:4]),
        "seed must be an int": lambda: model.sample(1, seed="0"),
        "latent_dims? must be greater than 0": lambda: build(method, data, **without_latents),
        "likelihood: unknown value 'bernouli'; did you mean 'bernoulli'": lambda: build(
            method, data, likelihood="bernouli"
        ),
    }.items():
        with pytest.raises(ValueError, match=message):
            ask()
    assert_equal(before, model.variables)


CLAUSES = (
    builds_from_its_config,
    fit_lowers_the_objectives_and_repeats,
    traces_the_step_once,
    saves_loads_and_resumes,
    evaluation_writes_nothing,
    takes_what_keras_users_pass,
    answers_by_seed,
    exports_to_tensorflow_alone,
    trains_on_two_replicas,
    takes_any_fitting_networks,
    refuses_bad_input,
)
