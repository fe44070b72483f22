"""What programs write of a model of sequences: pictures, arrays and sounds, of a stub."""

import types

import keras
import numpy as np
import pytest
import scipy.io.wavfile
import tensorflow as tf
from programs import digits_config, make_run
from tensorflow.compat.v1.train import summary_iterator

import zoo
from zoo.analysis import pictures
from zoo.core.request_fields import PrefixField
from zoo.core.sequences import LengthField, RowsField, StrokesField, WaveformField
from zoo.runs import callbacks, completions, manifest, writers

FIELDS = [StrokesField((6, 3)), WaveformField((6, 40), rate=8000), RowsField((6, 5))]
X = np.random.default_rng(0).uniform(-1.5, 1.5, (9, 6, 40)).astype(np.float32)
LENGTH = np.array([6, 4, 2, 1, 6, 5, 4, 3, 2])


class Sequences:
    """Stands for a model: it draws multiples of what it is given, within the lengths."""

    name = "sequences"
    completes_by_a_chain = False
    compile_chains = True

    def __init__(self, field):
        self.fields = {"x": field, "length": LengthField(max_length=6)}
        self.sample_fields = {"length": LengthField(max_length=6, batched=False)}
        self.visible_field = PrefixField(field.shape)
        self.asked, self.compiled = [], []

    @property
    def x(self):
        field = self.fields["x"]
        x = X[..., : field.shape[1]].copy()
        if field.shape[1] == 3:
            x[..., 2] = x[..., 2] > 0
        x = abs(x) / 2 if field.pictured == "mean" else x
        return np.where((np.arange(6) < LENGTH[:, None])[..., None], x, 0)

    def sample(self, num_samples, seed, length=6):
        self.compiled.append(self.compile_chains)
        x = np.where(np.arange(6)[:, None] < length, self.x[0], 0)
        return {"x": np.repeat(x[None], num_samples, 0), "mean": 0.5 * self.x[:num_samples]}

    def reconstruct(self, batch, seed):
        self.compiled.append(self.compile_chains)
        self.asked.append(batch)
        return {"x": -batch["x"], "mean": 0.5 * batch["x"]}

    def inpaint(self, batch, visible, seed, num_steps):
        self.compiled.append(self.compile_chains)
        self.asked.append((batch, visible))
        return {name: np.where(visible, batch["x"], -batch["x"]) for name in ("x", "mean")}


@pytest.fixture(params=FIELDS, ids=lambda field: type(field).__name__)
def run(request, tmp_path):
    run = make_run(tmp_path / "run", digits_config(name="VAE"))
    run.model = Sequences(request.param)
    batches = tf.data.Dataset.from_tensor_slices({"x": run.model.x, "length": LENGTH}).batch(4)
    run.data = zoo.data.Data(None, None, batches, run.model.fields, {"test": 9})
    return run


def size_of(run, name):
    return keras.utils.load_img(f"{run.workdir}/{name}").size


def assert_is_grid(run, name, rows, names=()):
    height, width = pictures.image_grid(rows, names=names).shape[:2]
    assert size_of(run, name) == (width, height)


def test_a_training_leaves_pictures(run):
    for write in (
        writers.write_sample_picture,
        writers.write_reconstruction_picture,
        writers.write_inpainting_picture,
    ):
        write(run)
    assert not any(run.model.compiled) and run.model.compile_chains  # XLA takes longer than they
    field, x = run.model.fields["x"], run.model.x
    is_mean = field.pictured == "mean"
    rows = field.picture(np.stack([x, 0.5 * x if is_mean else -x]))
    assert_is_grid(run, "reconstructions.png", rows, pictures.RECONSTRUCTION_NAMES)
    batch, (given, visible) = run.model.asked[0], run.model.asked[-1]
    np.testing.assert_array_equal(batch["length"], LENGTH)
    np.testing.assert_array_equal(given["length"], LENGTH)
    assert visible.shape == x.shape and visible[2, 0].all() and not visible[2, 1:].any()
    names = ["image", "seen", *(f"completion {k}" for k in range(1, 5))]
    names += ["deviation, 0 to 0.5"] * is_mean
    assert_is_grid(run, "inpainting.png", np.repeat(rows[:1], len(names), 0), names)


def test_samples(run, capsys):
    completions.write_samples(run, 4, 0, length=5)
    arrays = np.load(f"{run.workdir}/samples.npz")
    assert arrays["x"].shape == (4, *run.model.fields["x"].shape) and not arrays["x"][:, 5].any()
    if not run.model.fields["x"].rate:
        assert "samples.wav" not in manifest.names(run.workdir)
        return
    assert "samples.wav" in manifest.names(run.workdir) and "samples.wav" in capsys.readouterr().out
    rate, sound = scipy.io.wavfile.read(f"{run.workdir}/samples.wav")
    assert rate == 8000 and sound.dtype == np.int16
    waves = sound.reshape(4, -1)
    assert waves.shape[1] == 5 * 40 + 4000 and not waves[:, 200:].any()
    expected = np.clip(arrays["x"][:, :5].reshape(4, -1), -1, 1)
    np.testing.assert_allclose(waves[:, :200] / 32767, expected, atol=1 / 32767)
    assert waves.max() == 32767 and waves.min() == -32767  # clipped, and not wrapped around


def test_completions(run, capsys):
    options = {"masks": None, "coverage": 0.5, "num_completions": 2, "num_steps": None}
    completions.write_inpainting(run, **options, num_images=5, num_chains=1, seed=3)
    arrays = np.load(f"{run.workdir}/inpainting_rest.npz")
    x, visible = arrays["x"], arrays["visible"]
    np.testing.assert_array_equal(x, run.model.x[:5])
    np.testing.assert_array_equal(arrays["length"], LENGTH[:5])
    hidden = ~visible & (np.arange(6) < LENGTH[:5, None])[..., None]
    errors = [np.mean((2 * x[k])[hidden[k]] ** 2) for k in range(5)]
    np.testing.assert_allclose(arrays["hidden_mse_of_mean"], errors, rtol=1e-5)
    share = hidden[..., 0].sum() / LENGTH[:5].sum()
    told = capsys.readouterr().out
    assert f"rest: {share:.1%} hidden; mean squared error there" in told
    assert ("pixels in [0, 1]" in told) == (run.model.fields["x"].pictured == "mean")
    with pytest.raises(zoo.UsageError, match="mask: unknown value 'left'"):
        completions.write_inpainting(
            run, **options | {"masks": ["left"]}, num_images=5, num_chains=1, seed=3
        )


def test_pictures_of_an_epoch(run, tmp_path):
    shown = pictures.shown(run.model, run.data.test, 2)
    logger = callbacks.PictureLogger(tmp_path / "logs", shown, every=1)
    logger.set_model(types.SimpleNamespace(**{k: getattr(run.model, k) for k in NEEDED}))
    logger.set_params({"epochs": 1})
    logger.on_train_begin()
    logger.on_epoch_end(0)
    logger.on_train_end()
    (file,) = (tmp_path / "logs" / "pictures").iterdir()
    values = [value for event in summary_iterator(str(file)) for value in event.summary.value]
    assert [value.tag for value in values] == ["samples", "reconstructions"]


NEEDED = ("compile_chains", "fields", "sample_fields", "sample", "reconstruct")
