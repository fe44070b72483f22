"""Models come back from presets as they were, and what is in a preset runs no code."""

import functools
import io
import json
import shutil

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import zoo
from zoo.core import preset_files
from zoo.core.preset_files import OF_EXAMPLES
from zoo.core.presets import CARD, CONFIG, WEIGHTS, digest

SIZES = {"latent_dim": 2, "hidden": (8,)}


@pytest.fixture(scope="module")
def model(digits):
    """An HMC-DLGM whose weights are no longer those of its constructor."""
    model = zoo.HMCDLGM.for_data(digits, num_steps=1, **SIZES)
    model.compile(keras.optimizers.SGD(0.01), jit_compile=False)
    rng = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(variable + (1 + rng.random(variable.shape)).astype(variable.dtype))
    return model


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "exact"
    model.save_to_preset(folder, card={"metric": 1.0}, run={"seed": 0}, dtype="float32")
    return folder


@pytest.fixture
def folder(written, tmp_path):
    """A copy to be changed."""
    return shutil.copytree(written, tmp_path / "preset")


def change(folder, name, function):
    """Writes a file anew, with the right sum: as somebody does who wants it to be read."""
    content = function((folder / name).read_bytes())
    (folder / name).write_bytes(content)
    card = json.loads((folder / CARD).read_text())
    card["sha256"][name] = digest(content)
    (folder / CARD).write_text(json.dumps(card))


def change_config(folder, function):
    def changed(content):
        config = json.loads(content)
        function(config["model"]["config"])
        return json.dumps(config).encode()

    change(folder, CONFIG, changed)


def change_weights(folder, function):
    def changed(content):
        file = io.BytesIO(content)
        with h5py.File(file, "r+") as opened:
            function(opened)
        return file.getvalue()

    change(folder, WEIGHTS, changed)


def refused(folder):
    with pytest.raises(zoo.UsageError) as error:
        zoo.from_preset(folder)
    told = str(error.value)
    assert told.startswith(f"preset: {str(folder)!r} ") and told.endswith(".") and "\n" not in told
    return told.removeprefix(f"preset: {str(folder)!r} ")


def test_exact_weights_give_the_same_answers(model, written, images):
    loaded = zoo.from_preset(written)
    assert type(loaded) is zoo.HMCDLGM and loaded.compiled
    assert isinstance(loaded.optimizer, keras.optimizers.SGD)
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    batch, seed = {"x": tf.constant(images[:2])}, tf.constant([1, 2])
    for ask in (lambda m: m.sample(3, 1), lambda m: dict(enumerate(m.infer(batch, 2, seed)[:1]))):
        for name, answer in ask(model).items():
            np.testing.assert_array_equal(ask(loaded)[name], answer)
    assert json.loads((written / CARD).read_text())["metric"] == 1.0


def test_what_an_older_version_wrote_is_read(model, folder):
    change_config(folder, lambda config: config.update(zoo_version="0.1.9"))
    for one, other in zip(zoo.from_preset(folder).variables, model.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_replicas_take_the_weights_alike(model, written, digits):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        mirrored = zoo.HMCDLGM.for_data(digits, num_steps=1, **SIZES)
        preset_files.read_weights(zoo.core.presets.open_preset(written), mirrored)
    for one, other in zip(mirrored.variables, model.variables, strict=True):
        for value in strategy.experimental_local_results(one.value):
            np.testing.assert_array_equal(value, other)


def test_matrices_are_halved_and_nothing_else(model, tmp_path):
    model.save_to_preset(tmp_path / "p")
    loaded = zoo.from_preset(tmp_path / "p")
    for one, other in zip(loaded.variables, model.variables, strict=True):
        if len(one.shape) > 1:
            np.testing.assert_array_equal(one, np.float32(np.float16(other)))
            assert not np.array_equal(one, other)
        else:
            np.testing.assert_array_equal(one, other)  # step sizes among them
    assert loaded.variables[0].dtype == "int64" or "int64" in {v.dtype for v in loaded.variables}


def test_what_float16_cannot_hold_stays_as_it_is(digits, tmp_path):
    model = zoo.VAE.for_data(digits, **SIZES)
    large = model.decoder.trainable_variables[0]
    large.assign(1e5 * np.ones(large.shape))
    model.save_to_preset(tmp_path / "p")
    np.testing.assert_array_equal(zoo.from_preset(tmp_path / "p").decoder.weights[0], large)


def test_the_file_is_one_of_keras(digits, tmp_path):
    model = zoo.VAE.for_data(digits, **SIZES)
    model.save_to_preset(tmp_path / "p", dtype="float32")
    other = zoo.VAE.for_data(digits, seed=1, **SIZES)
    other.load_weights(tmp_path / "p" / WEIGHTS)
    for one, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, expected)


def test_chains_of_examples_and_the_optimizer_are_left_out(digits, tmp_path):
    model = zoo.ABP.for_data(digits, latent_dims=(2,), width=4, num_steps=1)
    model.compile(jit_compile=False)
    start = model.chains.states.numpy()
    model.chains.states.assign(start + 1)
    model.save_to_preset(tmp_path / "p")
    with h5py.File(tmp_path / "p" / WEIGHTS) as file:
        file.visit(lambda name: pytest.fail(name) if "optim" in name or "chain" in name else None)
    loaded = zoo.from_preset(tmp_path / "p")
    np.testing.assert_array_equal(loaded.chains.states, start)
    model.save(tmp_path / "model.keras")  # which holds them
    kept = keras.saving.load_model(tmp_path / "model.keras").chains.states
    np.testing.assert_array_equal(kept, start + 1)
    # The test can fail: without the name of such states they are written, too.
    wrong = mutant("zoo.core.preset_files", '("optimizer", OF_EXAMPLES)', '("optimizer",)')
    wrong.save_preset(model, tmp_path / "wrong")
    with h5py.File(tmp_path / "wrong" / WEIGHTS) as file:
        assert f"chains/vars/{OF_EXAMPLES}" in file


LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}
CLASSES = {
    "keras.layers.Lambda": LAMBDA,
    "keras.layers.TFSMLayer": LAMBDA | {"class_name": "TFSMLayer"},
    "__lambda__": {"class_name": "__lambda__", "config": {"value": "x"}},
    "os.system": LAMBDA | {"module": "os", "class_name": "system"},
    "mine.Layer": LAMBDA | {"module": "mine", "class_name": "Layer", "registered_name": "zoo>No"},
    "function": {"module": "os", "class_name": "function", "config": "system"},
    "kerasx.Dense": LAMBDA | {"module": "kerasx", "class_name": "Dense"},
    "keras.layers.Dense": LAMBDA | {"class_name": "Dense", "registered_name": "zoo>No"},
    "Lambda": {"class_name": "Lambda", "config": {}},  # as older files of Keras had it
}


def _at(config, *keys):
    return functools.reduce(lambda values, key: values[key], keys, config)


@pytest.mark.parametrize("name", CLASSES)
def test_code_is_refused_before_keras_sees_it(folder, name, monkeypatch):
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", lambda *_, **__: pytest.fail())
    change_config(
        folder, lambda config: config["decoder"]["config"]["layers"].append(CLASSES[name])
    )
    assert "only classes of Keras that run no code of a file" in refused(folder)


def test_code_is_refused_when_it_is_written(digits, tmp_path):
    layers = [keras.Input((2,)), keras.layers.Dense(64), keras.layers.Lambda(lambda x: 2 * x)]
    decoder = keras.Sequential([*layers, keras.layers.Reshape((8, 8, 1))])
    model = zoo.VAE.for_data(digits, decoder=decoder, **SIZES)
    with pytest.raises(zoo.UsageError, match=r"model holds 'keras.layers.Lambda'; only classes"):
        model.save_to_preset(tmp_path / "p")
    assert not list(tmp_path.iterdir())


def test_models_that_cannot_be_made(folder):
    change_config(folder, lambda config: config.update(num_steps=-1))
    assert refused(folder) == "cannot be read: num_steps must be greater than 0; it was -1."
    change_config(folder, lambda config: config.pop("decoder"))
    assert "cannot be read: " in refused(folder)


def test_a_layer_alone_is_no_model(folder):
    def alone(content):
        return json.dumps(json.loads(content)["model"]["config"]["decoder"]).encode()

    change(folder, CONFIG, lambda content: b'{"model": ' + alone(content) + b"}")
    assert "which is no model of the zoo" in refused(folder)


KERNEL = "decoder/layers/dense/vars/0"


def replace(name, array):
    def function(file):
        del file[name]
        if array is not None:
            file[name] = array

    return function


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (replace(KERNEL, None), f"is of another model: it lacks '{KERNEL}'."),
        (
            replace(KERNEL, np.zeros((3, 8))),
            f"'{KERNEL}' has the shape [3, 8] there",
        ),
        (replace(KERNEL, np.array([[b"x"] * 8] * 2)), "has weights that cannot be read: "),
        (replace(KERNEL, h5py.ExternalLink("/etc/passwd", "x")), f"it lacks '{KERNEL}'"),
        (lambda file: file.update({"decoder/vars/9": 0}), "it has 'decoder/vars/9'."),
        (lambda file: file.clear(), "is of another model: it lacks "),
    ],
)
def test_weights_of_another_model(folder, function, told):
    change_weights(folder, lambda file: function(file))
    assert told in refused(folder)


def test_weights_that_are_no_file_or_lead_elsewhere(folder):
    def elsewhere(file):
        del file[KERNEL]
        outside = [("/etc/passwd", 0, 64)]
        file.create_dataset(KERNEL, (2, 8), "f4", external=outside)

    change_weights(folder, elsewhere)
    assert f"reaches into other files: '{KERNEL}'" in refused(folder)
    change(folder, WEIGHTS, lambda content: b"no HDF5")
    assert "has weights that cannot be read" in refused(folder)


def test_a_model_stays_as_it_was_where_weights_do_not_fit(written, digits):
    model = zoo.HMCDLGM.for_data(digits, num_steps=1, **SIZES | {"hidden": (9,)})
    before = model.get_weights()
    with pytest.raises(zoo.UsageError, match=r"dense/vars/0' has the shape \[2, 8\] there, and "):
        preset_files.read_weights(zoo.core.presets.open_preset(written), model)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_writing_fails_whole(model, tmp_path, monkeypatch):
    for arguments, told in (
        ({"card": {"x": object()}}, "card and run must be what JSON can hold"),
        ({"dtype": "float8"}, "dtype: unknown value 'float8'"),
    ):
        with pytest.raises(zoo.UsageError, match=told):
            model.save_to_preset(tmp_path / "p", **arguments)
    (tmp_path / "file").write_text("mine")
    own = tmp_path / "own"
    own.mkdir()
    (own / "notes.txt").write_text("mine")
    for path in (own, tmp_path / "file"):
        with pytest.raises(zoo.UsageError, match="folder must be new, or that of an older preset"):
            model.save_to_preset(path)
    with pytest.raises(zoo.UsageError, match="folder: cannot write "):
        model.save_to_preset(tmp_path / "file" / "p")
    model.save_to_preset(tmp_path / "p", card={"made": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(zoo.UsageError, match="p': No space left on device"):
        model.save_to_preset(tmp_path / "p", card={"made": 2})
    monkeypatch.undo()
    assert json.loads((tmp_path / "p" / CARD).read_text())["made"] == 1
    model.save_to_preset(tmp_path / "p", card={"made": 3})  # in the place of the older one
    assert json.loads((tmp_path / "p" / CARD).read_text())["made"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {"file", "own", "p"}
