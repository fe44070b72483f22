"""Whatever a config says, or a damaged file of a run: a model follows, or one clear error."""

import json

import numpy as np
import pytest
from bad_input import JUNK, ask, damages, inputs, with_damage
from hypothesis import given
from hypothesis import strategies as st
from programs import digits_config, make_run

import zoo
from zoo.core.files import write_json
from zoo.parts import likelihoods
from zoo.runs import manifest
from zoo.runs.build import build, load_data
from zoo.runs.workdir import load_config

junk = st.sampled_from(JUNK)
CONFIG = digits_config(name="VAE", hidden=(2,)).to_dict() | {"epochs": 1}

arguments = st.fixed_dictionaries(
    {"name": st.one_of(st.sampled_from([*likelihoods.LIKELIHOODS]), junk)},
    optional={
        "scale": st.one_of(st.just(0.5), junk),
        "learn_scale": st.one_of(st.booleans(), junk),
        "levels": st.one_of(st.just(256), junk),
        "scael": st.just(1),
    },
)


@inputs(100)
@given(arguments)
def test_likelihoods(value):
    answer = ask(lambda: likelihoods.get_likelihood(value))
    if answer is not None and hasattr(answer, "scale"):
        assert 0 < float(answer.scale) < np.inf


def paths(tree, prefix=()):
    for key, value in tree.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


@inputs(80)
@given(st.sampled_from(list(paths(CONFIG))), st.one_of(junk, st.just("drop"), st.just("extra")))
def test_configs(digits, tmp_path, path, value):
    config = json.loads(json.dumps(CONFIG))
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
        checked = load_config(tmp_path)
        whole = checked.data.to_dict() == CONFIG["data"]
        return build(checked, digits if whole else load_data(checked))

    answer = ask(question)
    assert answer is None or isinstance(answer, zoo.VAE)


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    """The work directory of a run that ended at once."""
    path = tmp_path_factory.mktemp("runs") / "run"
    make_run(path, digits_config(name="VAE", hidden=(2,)), digits)
    return path


@inputs(60)
@given(damages)
def test_damaged_configs(run, damage):
    with with_damage(run / "config.json", damage):
        ask(lambda: load_config(run))


@inputs(40)
@given(damages)
def test_damaged_models(run, damage):
    with with_damage(run / "model.keras", damage):
        answer = ask(lambda: zoo.load(str(run)))
    if answer is not None:
        assert all(np.isfinite(value).all() for value in answer.sample(2).values())
