"""What a user of Keras tries beside `fit`: it works as there, or one sentence says what does."""

import keras
import numpy as np
import pytest
from stub_model import Stub, X, stub
from training import build

import zoo


@pytest.fixture(scope="module")
def models(digits):
    """Two of the same first layers, whose last differ."""
    arguments = {"encoder": None, "hidden": (4,)}
    return [build(zoo.VAE, digits, latent_dim=k, **arguments) for k in (2, 3)]


def saved(model):
    return [v.numpy() for v in model.variables]


@pytest.mark.parametrize("ending", ["weights.h5", "keras"])
def test_weights_of_another_size_are_refused_whole(models, tmp_path, ending):
    one, other = models
    path = tmp_path / f"other.{ending}"
    other.save_weights(path) if ending == "weights.h5" else other.save(path)
    before = saved(one)
    with pytest.raises(
        zoo.UsageError, match="^filepath: '.*other.* holds no weights of this.*Layer '"
    ):
        one.load_weights(path)
    with pytest.raises(ValueError, match="not compatible|shape"):
        one.set_weights([*one.get_weights()[:-1], np.zeros(7)])
    for a, b in zip(before, saved(one), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_that_is_not_compiled_says_so():
    model = Stub()
    batch = {"x": X}
    for call in (model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match="compile"):
            call(batch)
    with pytest.raises(ValueError, match="compile"):
        model.fit(batch, batch_size=4)
    for step in (model.train_step, model.test_step):
        with pytest.raises(ValueError, match="compile"):
            step(batch)
    assert model.predict(X, verbose=0).shape == X.shape


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), "filepath must be a file; '.*' is none"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "holds no weights .*truncated"),
    ],
)
def test_files_of_weights_that_cannot_be_read(tmp_path, damage, told):
    path = tmp_path / "stub.weights.h5"
    Stub().save_weights(path)
    damage(path)
    with pytest.raises(zoo.UsageError, match=told):
        Stub().load_weights(path)


def test_files_that_keras_could_not_load_are_not_written(tmp_path):
    with pytest.raises(zoo.UsageError, match=r"filepath must end in .keras; it was '.*stub.h5'"):
        Stub().save(tmp_path / "stub.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda m: m.fit(X, epochs=1.5), "epochs must be a whole number; it was 1.5"),
        (lambda m: m.fit(X, epochs=-1), "epochs must be at least 0; it was -1"),
        (lambda m: m.fit(X, steps_per_epoch=1.5), "steps_per_epoch must be a whole number"),
        (lambda m: m.fit(X, steps_per_epoch=0), "steps_per_epoch must be greater than 0"),
        (lambda m: m.fit(X, validation_steps=0), "validation_steps must be greater than 0"),
        (lambda m: m.fit(X, validation_freq=0), "validation_freq must be greater than 0"),
        (lambda m: m.evaluate(X, steps=0), "steps must be greater than 0; it was 0"),
        (lambda m: m.predict(X, steps=1.5), "steps must be a whole number; it was 1.5"),
        (lambda m: m.compile(steps_per_execution=0), "steps_per_execution must be greater than 0"),
        (lambda m: m.compile(steps_per_execution="auto"), "steps_per_execution must .* 'auto'"),
        (lambda m: m.compile(jit_compile="yes"), "jit_compile must be True, False or 'auto'; it"),
        (lambda m: m.quantize("int8"), "quantize: a model of the zoo is not quantized as a whole"),
        (lambda m: m.fit(object()), "x must be an array, .* such as iter.loader.; it was a object"),
        (lambda m: m.fit("digits"), "x must be an array, .*; it was a str"),
    ],
)
def test_arguments_of_keras_that_are_no_numbers(call, told):
    with pytest.raises(zoo.UsageError, match=told):
        call(stub())


def test_predictions_that_are_not_finite_are_told():
    class Broken(Stub):
        def predict_step(self, data):
            return super().predict_step(data) + [[np.nan, 0.0]]

    told = " 12 of 12 examples have predictions that are NaN"
    with pytest.warns(UserWarning, match=f"predict:{told}"):
        Broken().predict(X, verbose=0)
    with pytest.warns(UserWarning, match=f"predict_on_batch:{told}"):
        Broken().predict_on_batch(X)


def test_compile_takes_no_loss_for_an_answer():
    Stub().compile("sgd", loss=None, metrics=None, loss_weights=None)
    for name in ("loss", "metrics", "weighted_metrics"):
        with pytest.raises(zoo.UsageError, match=f"compile does not take {name}: a method brings"):
            Stub().compile("sgd", **{name: "mse"})


def test_export_names_what_exports(models, tmp_path):
    with pytest.raises(zoo.UsageError, match=r"exported by zoo.export\(model, path\)"):
        models[0].export(tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_what_keras_users_look_at(models, images, capsys):
    model = models[0]
    model.summary()
    assert "encoder" in capsys.readouterr().out
    zoo.VAE.from_config(model.get_config()).summary()  # which is not compiled
    assert model.get_layer("decoder") is model.decoder
    with pytest.raises(ValueError, match="No such layer: nope. Existing layers are: .'encoder'"):
        model.get_layer("nope")
    assert model(images[:2]).shape == model({"x": images[:2]}).shape == images[:2].shape
    with pytest.raises(zoo.UsageError, match="divide them by 255"):
        model(255 * images[:2])
    copy = keras.models.clone_model(model)
    assert [v.shape for v in copy.variables] == [v.shape for v in model.variables]


def test_losses_come_first_as_in_keras():
    model = stub()
    told = model.evaluate(X, verbose=0, return_dict=True)
    assert model.evaluate(X, verbose=0)[0] == told["loss"] == model.test_on_batch(X)[0]
    assert model.train_on_batch(X)[0] == pytest.approx(told["loss"])
    assert sorted(model.get_metrics_result()) == ["bound", "first", "loss", "mean_objective"]


def test_names_of_what_was_returned_last():
    model = Stub()
    assert model.metrics_names == []
    model.build((None, 2))  # after which a model of Keras can be compiled, too
    model.compile("sgd", run_eagerly=True)
    assert model.metrics_names == []
    model.train_on_batch(X)
    assert model.metrics_names == ["loss", "bound", "first", "mean_objective"]
    listed, told = (model.evaluate(X, verbose=0, return_dict=way) for way in (False, True))
    assert dict(zip(model.metrics_names, listed, strict=True)) == told


def test_an_evaluation_in_a_fit_leaves_its_means():
    """Of half the data it would be another mean."""
    model, plain = stub(), stub()

    def evaluate(*_, **__):
        assert model.evaluate(X[:4], verbose=0, return_dict=True)["first"] == pytest.approx(found)

    found = X[:4, 0].mean()
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=evaluate, on_epoch_end=evaluate)
    arguments = {"batch_size": 4, "epochs": 2, "validation_data": X[4:], "verbose": 0}
    history = model.fit(X, callbacks=callback, **arguments).history
    assert history == plain.fit(X, **arguments).history
    model.evaluate(X[:4], verbose=0)
    assert float(model.get_metrics_result()["first"]) == pytest.approx(found)


def test_steps_of_a_user_may_tell_what_they_will():
    class Own(Stub):
        def test_step(self, data):
            return super().test_step(data) | {"mine": keras.ops.ones(())}

    model = Own()
    model.compile(run_eagerly=True)
    assert model.evaluate(X, verbose=0, return_dict=True)["mine"] == 1
    history = model.fit(X, batch_size=4, validation_data=X, verbose=0).history
    assert history["val_mine"] == [1]


def test_callbacks_of_keras_without_arguments():
    """Or one alone, and not in a list."""
    model = stub()
    alone = keras.callbacks.EarlyStopping()
    history = model.fit(X, None, 4, 3, 0, alone, validation_data=X).history
    assert (
        history["val_loss"][-1] < history["val_loss"][0] and alone.best == history["val_loss"][-1]
    )
    with pytest.raises(ValueError, match="Pass `mode='max'`"):
        model.fit(X, None, 4, 1, 0, keras.callbacks.EarlyStopping("val_bound"), validation_data=X)
