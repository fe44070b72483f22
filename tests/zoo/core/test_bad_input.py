"""Whatever a user passes is either answered with finite numbers or refused by one clear error.

Inputs are drawn by hypothesis. Refused means `zoo.UsageError`, or TensorFlow's
`InvalidArgumentError` from an exported program; anything else counts as a crash, and a NaN in an
answer as a silent one. `python -m pytest tests/zoo/test_bad_input.py -n 0 -s` prints the
counts.
"""

import collections
import functools
import json
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from programs import digits_config, make_run, run_here
from tiny_ink import TinyInk

import samplers
import zoo
from zoo.core.annealing import Annealing
from zoo.core.checks import check_choice, check_count, check_images, check_visible
from zoo.core.files import write_json
from zoo.core.pipeline import as_pipeline
from zoo.parts import likelihoods
from zoo.runs import manifest
from zoo.runs import workdir as workdirs
from zoo.runs.build import build, load_data

COUNTS = collections.defaultdict(collections.Counter)
SHAPE = (8, 8, 1)


def inputs(number):
    return settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def ask(kind, question):
    """The answer, or None where the question was refused; counts both."""
    try:
        answer = question()
    except tf.errors.InvalidArgumentError as error:
        # Only exported programs, which know no exceptions of ours; by the name of an input, or,
        # for a wrong dtype, by its position.
        assert kind == "signatures", error
        named = re.search(
            r"(x|visible|seed|num_\w+) must|input #\d.* was expected to be", str(error)
        )
        assert named, error
    except ValueError as error:
        # The samplers' own check of a seed comes as a plain ValueError.
        polite = isinstance(error, zoo.UsageError) or str(error).startswith("seed must be an int")
        assert polite and str(error).strip(), error
    else:
        COUNTS[kind]["answered"] += 1
        return answer
    COUNTS[kind]["refused"] += 1
    return None


@pytest.fixture(scope="module", autouse=True)
def counts():
    yield
    total = sum(COUNTS.values(), collections.Counter())
    for kind, count in {**COUNTS, "all": total}.items():
        print(f"\n{kind:<12}{count.total():>6} inputs: {dict(count)}", end="")
    print()
    # Else all might be refused, and nothing be tested but that.
    assert total.total() < 2000 or total["answered"] > 0.1 * total.total()


shapes = st.one_of(
    st.just((3, *SHAPE)),
    st.just((1, *SHAPE)),
    st.just((0, *SHAPE)),
    st.just(SHAPE),
    st.just((3, 8, 8)),
    st.sampled_from(
        [(), (1,), (9, 8), (2, 8, 1), (3, 8, 8, 3), (3, 9, 8, 1), (2, 8, 0, 1), (1, 3, *SHAPE)]
    ),
)
dtypes = st.sampled_from(["f4", "f8", "f2", "u1", "i4", "i8", "?", "c8", "U3", "O"])


@st.composite
def any_array(draw, shapes=shapes, dtypes=dtypes, bad=True):
    """An array that may or may not be a batch of images."""
    shape, dtype = draw(shapes), np.dtype(draw(dtypes))
    rng = np.random.default_rng(draw(st.sampled_from(range(100))))
    ranges = [(0, 1), (0, 1), (0, 1), (0, 255), (-1, 1), (0, 1e30)]
    low, high = draw(st.sampled_from(ranges if bad else ranges[:1]))
    x = low + (high - low) * rng.random(shape)
    if dtype.kind in "US":
        return x.astype(dtype)
    if dtype.kind == "O":
        return np.full(shape, None, object)
    with np.errstate(all="ignore"):
        x = np.asarray(x).astype(dtype)
    value = draw(st.sampled_from([None, None, None, np.nan, np.inf, -np.inf])) if bad else None
    if value is not None and dtype.kind == "f" and x.size:
        x.flat[draw(st.sampled_from(range(x.size)))] = value
    return x


# Two thirds are good, so that several together often are.
good = any_array(st.sampled_from([(1, *SHAPE), (3, *SHAPE)]), st.just("f4"), bad=False)
masks = st.one_of(
    st.sampled_from([np.ones((3, *SHAPE), bool), np.zeros((3, *SHAPE), bool)]),
    st.sampled_from([np.ones(SHAPE, bool), np.zeros(SHAPE, bool)]),
    any_array(dtypes=st.sampled_from(["?", "?", "i4", "f4"])),
)
# A list, and no strategies of numbers and texts: those also draw constants of whatever modules are
# imported, so that what is tested would hang on what ran before.
JUNK = [None, True, False, -1, 0, 1, 2, 3, 10**6, 2**31, 2**63, 10**30, -(2**63)]
JUNK += [0.0, -0.5, 0.5, 2.0, 1e-300, 1e308, np.nan, np.inf, -np.inf]
JUNK += ["", "a", "0", "nan", "NaN ", "é", "\x00", "../..", "digits", "left", "%s", "{}"]
JUNK += [[], [1], [0, 0], [1, 2, 3], ["a"], {}, {"a": 1}, {"name": None}, {"": {}}]
junk = st.sampled_from(JUNK)


# Checks, which run no model.


@inputs(700)
@given(st.one_of(any_array(), good))
def test_images(x):
    answer = ask("images", lambda: check_images(x, SHAPE))
    if answer is not None:
        assert answer.shape[1:] == SHAPE and len(answer) and answer.dtype == np.float32
        assert np.isfinite(answer).all() and answer.min() >= 0 and answer.max() <= 1


@inputs(100)
@given(
    st.one_of(any_array(), good),
    st.one_of(st.none(), any_array()),
    st.one_of(st.just(2), junk),
    st.booleans(),
)
def test_pipelines(x, y, batch_size, training):
    x = ask("pipelines", lambda: as_pipeline(x, y, SHAPE, batch_size, training=training))
    for batch in x or ():
        assert batch["x"].shape[1:] == SHAPE and np.isfinite(batch["x"]).all()


@inputs(300)
@given(masks)
def test_masks(visible):
    answer = ask("masks", lambda: check_visible(visible, SHAPE, 3))
    assert answer is None or (answer.shape == (3, *SHAPE) and answer.dtype == bool)


@inputs(400)
@given(junk, st.sampled_from(["count", "choice", "seed", "mask", "annealing", "source"]))
def test_values(value, kind):
    answer = ask(
        "values",
        {
            "count": lambda: check_count(value=value) or value,
            "choice": lambda: check_choice("value", value, ["a", "b"]),
            "seed": lambda: samplers.as_seed(value),
            "mask": lambda: zoo.data.mask(value, SHAPE),
            "annealing": lambda: Annealing(num_chains=value, start=value),
            "source": lambda: zoo.data.load("digits", batch_size=value),
        }[kind],
    )
    if answer is not None and kind == "count":
        assert isinstance(answer, int) and answer > 0


arguments = st.fixed_dictionaries(
    {"name": st.one_of(st.sampled_from([*likelihoods.LIKELIHOODS]), junk)},
    optional={
        "scale": st.one_of(st.just(0.5), junk),
        "learn_scale": st.one_of(st.booleans(), junk),
        "levels": st.one_of(st.just(256), junk),
        "scael": st.just(1),
    },
)


@inputs(200)
@given(arguments)
def test_likelihoods(value):
    answer = ask("likelihoods", lambda: likelihoods.get_likelihood(value))
    if answer is not None and hasattr(answer, "scale"):
        assert 0 < float(answer.scale) < np.inf


def paths(tree, prefix=()):
    for key, value in tree.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


CONFIG = digits_config(name="VAE").to_dict()


@functools.cache
def digits():
    return zoo.data.load("digits")


@inputs(200)
@given(st.sampled_from(list(paths(CONFIG))), st.one_of(junk, st.just("drop"), st.just("extra")))
def test_configs(tmp_path, path, value):
    config = json.loads(json.dumps(CONFIG)) | {"epochs": 1}
    config["model"]["hidden"] = [2]
    *parents, key = path
    part = config
    for parent in parents:
        part = part[parent]
    if value == "drop":
        del part[key]
    elif value == "extra":
        part[f"{key}_extra"] = 1
    else:
        part[key] = value

    def question():
        manifest.create(tmp_path)
        write_json(tmp_path / "config.json", config)
        checked = workdirs.load_config(tmp_path)
        whole = checked.data.to_dict() == CONFIG["data"]
        return build(checked, digits() if whole else load_data(checked))

    answer = ask("configs", question)
    assert answer is None or isinstance(answer, zoo.VAE)


# The programs, with flags of which some are wrong.


@pytest.fixture(scope="module")
def workdir(trained, tmp_path_factory):
    """A finished run, on which every program can work."""
    return shutil.copytree(trained[0], tmp_path_factory.mktemp("runs") / "run")


values = st.sampled_from(["1", "2", "2", "0", "-1", "1.5", "many", "", "nan", "99999999999"])
PROGRAMS = {
    "sample": ["num_samples", "seed"],
    "inpaint": ["num_images", "num_completions", "num_steps", "mask", "seed"],
    "evaluate": ["num_images", "num_chains", "num_increments", "start", "seed", "against"],
    "figures": ["figure", "seed", "out"],
    "export": ["workdir", "strategy"],
}


@inputs(60)
@given(st.sampled_from(list(PROGRAMS)), st.data())
def test_programs(workdir, name, data):
    """Status 0, or status 2 and one line that says why."""
    flags = st.sampled_from(PROGRAMS[name])
    given_ = data.draw(st.dictionaries(flags, values, min_size=1, max_size=2))
    # A figure of the right name, and few increments, so that what is right is quick.
    usual = {"evaluate": ["--num_increments=2", "--num_images=3"]}.get(name, [])
    arguments = [f"--workdir={workdir}", *usual, *(f"--{k}={v}" for k, v in given_.items())]
    ended = run_here(name, *arguments, cwd=workdir.parent)
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert (ended.returncode, len(errors)) in ((0, 0), (2, 1)), (arguments, ended)
    assert "Traceback" not in ended.stderr
    COUNTS["programs"]["refused" if errors else "answered"] += 1


# Files that are cut off, or of which a byte is wrong.


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Whole files of all kinds that are read, in a work directory."""
    folder = tmp_path_factory.mktemp("files")
    data = zoo.data.load("digits")
    make_run(folder, digits_config(name="VAE", hidden=(2,)), data)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (20, 8, 8), np.uint8)
    np.savez(folder / "stored.npz", x_train=x, x_test=x)
    np.savez_compressed(folder / "compressed.npz", x_train=x, x_test=x)
    (folder / "images").mkdir()
    for k in range(10):
        Image.fromarray(x[k]).save(folder / "images" / f"{k}.png")
    TinyInk(data_dir=folder / "tfds").download_and_prepare()
    return folder


damages = st.tuples(
    st.sampled_from(range(1000)).map(lambda k: k / 1000), st.sampled_from(["cut", "byte"])
)


def damaged(path, where, how):
    content = bytearray(path.read_bytes())
    position = int(where * len(content))
    if how == "cut":
        return bytes(content[:position])
    content[position] ^= 0xFF
    return bytes(content)


def read_damaged(kind, path, damage, question):
    """The answer with a damaged file in the place of a whole one."""
    whole = path.read_bytes()
    try:
        path.write_bytes(damaged(path, *damage))
        return ask(kind, question)
    finally:
        path.write_bytes(whole)


def load(source, **kwargs):
    return zoo.data.load(source, batch_size=4, **kwargs)


@inputs(120)
@given(damages, st.sampled_from(["stored", "compressed"]))
def test_damaged_npz(files, damage, name):
    path = files / f"{name}.npz"
    read_damaged("npz", path, damage, lambda: load(f"npz:{path}"))


@inputs(60)
@given(damages)
def test_damaged_images(files, damage):
    path = files / "images" / "3.png"
    read_damaged("image files", path, damage, lambda: load(f"images:{path.parent}"))


@inputs(60)
@given(damages)
def test_damaged_records(files, damage):
    (record,) = files.rglob("*.tfrecord*")
    answer = read_damaged(
        "TFRecord", record, damage, lambda: load("tiny_ink", data_dir=files / "tfds")
    )
    assert answer is None, "records carry checksums"


@inputs(120)
@given(damages)
def test_damaged_configs(files, damage):
    path = files / "config.json"
    read_damaged("config files", path, damage, lambda: workdirs.load_config(files))


@inputs(60)
@given(damages)
def test_damaged_models(files, damage):
    answer = read_damaged("models", files / "model.keras", damage, lambda: zoo.load(str(files)))
    if answer is not None:
        assert all(np.isfinite(value).all() for value in answer.sample(2).values())


# Compiled programs.


# Two suffice: endpoints and their checks are the base class's.
@pytest.fixture(scope="module", params=["HMCDLGM", "VAE"])
def served(request, tmp_path_factory):
    """A model compiled by XLA, and its export."""
    method = zoo.get_method(request.param)
    model = method.for_data(zoo.data.load("digits"), **method.tiny)
    model.compile(jit_compile=True)
    folder = tmp_path_factory.mktemp("export")
    zoo.export(model, folder / "export")
    yield model, tf.saved_model.load(str(folder / "export")).signatures
    shutil.rmtree(folder)


good_masks = st.sampled_from([np.ones, np.zeros]).map(lambda fill: fill((3, *SHAPE), bool))
half = st.sampled_from(range(20)).map(
    lambda seed: np.random.default_rng(seed).random((3, *SHAPE)) < 0.5
)
seeds = st.sampled_from([[0, 0]] * 3 + [[1, 2], [-(2**31), 2**31 - 1], [0], [0, 1, 2]])
counts_ = st.sampled_from([1, 1, 2, 3, 0, -1])


@inputs(120)
@given(
    st.sampled_from(["sample", "reconstruct", "inpaint", "encode"] * 4 + ["log_likelihood"]),
    st.one_of(good, good, any_array(dtypes=st.sampled_from(["f4", "f4", "f8", "i4"]))),
    st.one_of(good_masks, half, masks),
    seeds,
    counts_,
)
def test_signatures(served, name, x, visible, seed, count):
    model, endpoints = served
    given_ = {"x": x, "visible": visible, "seed": seed, "num_steps": count, "num_samples": count}
    _, named = endpoints[name].structured_input_signature
    wanted = {key: tf.constant(given_[key]) for key in named}
    answer = ask("signatures", lambda: endpoints[name](**wanted))
    check_answer(name, answer, x, visible, count)


# Few shapes: each new one is compiled.
small = st.sampled_from([(1, *SHAPE), (3, *SHAPE), (3, *SHAPE), (0, *SHAPE), SHAPE])


@inputs(60)
@given(
    st.sampled_from(["sample", "reconstruct", "inpaint", "encode"]),
    st.one_of(good, good, any_array(shapes=small)),
    st.one_of(good_masks, half, masks),
    st.one_of(st.just(0), st.sampled_from(range(100)), junk),
    st.one_of(st.sampled_from([1, 2, 3]), junk.filter(lambda n: not isinstance(n, int) or n < 9)),
)
def test_methods(served, name, x, visible, seed, count):
    model, _ = served
    answer = ask(
        "methods",
        {
            "sample": lambda: model.sample(count, seed),
            "reconstruct": lambda: model.reconstruct(x, seed),
            "inpaint": lambda: model.inpaint(x, visible, seed, count),
            "encode": lambda: model.encode(x, seed),
        }[name],
    )
    check_answer(name, answer, x, visible, count)


def check_answer(name, answer, x, visible, count):
    if answer is None:
        return
    length = count if name == "sample" else len(x)
    for key, value in answer.items():
        value = np.asarray(value)
        assert len(value) == length > 0 and np.isfinite(value).all(), f"silent NaN in {key}"
        if name == "inpaint":
            shown = np.broadcast_to(visible, x.shape)
            np.testing.assert_array_equal(value[shown], x[shown].astype(np.float32))


def test_a_fit_of_anything_leaves_finite_weights(served):
    """Training on what is refused changes nothing; on what is taken, nothing becomes NaN."""
    model, _ = served

    @inputs(20)
    @given(any_array(shapes=st.sampled_from([(4, *SHAPE), (3, *SHAPE), (4, 8, 8), SHAPE])))
    def check(x):
        before = [v.numpy() for v in model.trainable_variables]
        answer = ask("fits", lambda: model.fit(x, batch_size=4, verbose=0))
        for old, new in zip(before, model.trainable_variables, strict=True):
            assert np.isfinite(new).all()
            assert answer is not None or np.array_equal(old, new)

    check()
    keras.backend.clear_session()
