"""Every config in scripts/configs, and its presets, builds the model that it names."""

import importlib.util
import pathlib

import numpy as np
import pytest

import zoo
from zoo import data
from zoo.core.fields import PixelField
from zoo.core.pipeline import as_pipeline
from zoo.runs import experiment

CONFIGS = sorted((pathlib.Path(__file__).parents[2] / "scripts/configs").glob("[!_]*.py"))
SHAPES = {
    "digits": (8, 8, 1),
    "mnist": (28, 28, 1),
    "omniglot": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "svhn": (32, 32, 3),
    "celeba": (32, 32, 3),
}


SOURCES = {"svhn": "svhn_cropped", "celeba": "celeb_a"}
DENSE = ("short_run", "short_run_hierarchical", "ladder_vae", "abp")  # also without convolutions


def read(path, *preset):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return experiment.check_config(module.get_config(*preset))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_builds(path):
    method, _, source = path.stem.rpartition("_")
    presets = [()] if source == "digits" else [("paper",), ("small",)]
    if source != "digits" and method in DENSE:
        presets.append(("dense",))
    for preset in presets:
        config = read(path, *preset)
        assert config.data.source == SOURCES.get(source, source)
        fields = {"x": PixelField(SHAPES[source])}
        x = np.zeros((300, *SHAPES[source]), np.float32)
        facts = data.Data(as_pipeline(x, None, fields, 250), None, None, fields, {"train": 300})
        model = experiment.build(config, facts)
        assert type(model).__name__ == config.model.name
    if source != "digits":
        with pytest.raises(zoo.UsageError, match="preset: unknown value 'smal'; did you mean"):
            read(path, "smal")


def test_boundaries():
    """Learning rates of unequal numbers of steps."""
    rates = {"learning_rate": (3e-4, 3e-3, 1e-3), "boundaries": (0.02, 0.6)}
    rate = experiment._optimizer(name="Adam", num_steps=1000, **rates)._learning_rate
    found = [float(rate(step)) for step in (0, 20, 21, 600, 601, 999)]
    np.testing.assert_allclose(found, [3e-4, 3e-4, 3e-3, 3e-3, 1e-3, 1e-3], rtol=1e-6)
    for wrong in ({"boundaries": (0.5,)}, {"learning_rate": 1e-3}):
        with pytest.raises(zoo.UsageError, match="boundaries must be one fewer"):
            experiment._optimizer(name="Adam", num_steps=1000, **rates | wrong)


def test_stages_of_the_paper():
    """Stage i lasts 3^i epochs at 10^(-3 - i / 7): 3,280 epochs."""
    config = read(next(path for path in CONFIGS if path.stem == "ais_mnist"))
    assert config.epochs == sum(3**i for i in range(8))
    optimizer = experiment._optimizer(**config.optimizer, num_steps=10 * config.epochs)
    rate = optimizer._learning_rate
    for i in range(8):
        inside = 10 * (sum(3**j for j in range(i)) + 3**i / 2)
        np.testing.assert_allclose(rate(int(inside)), 1e-3 * 10 ** (-i / 7), rtol=1e-5)
    assert config.evaluation.num_increments == 10_000
    for wrong in ({"num_stages": 1}, {"num_stages": 3, "final_learning_rate": None}):
        arguments = config.optimizer.to_dict() | wrong
        with pytest.raises(zoo.UsageError, match="num_stages must be at least 2"):
            experiment._optimizer(**arguments, num_steps=100)
