"""Every config in scripts/configs: its method and its data take what it says; nothing is built."""

import inspect

import keras
import numpy as np
import pytest
from programs import ROOT, get_config

import zoo
from zoo import data, scores
from zoo.core import pipeline
from zoo.core.choices import PROTOCOLS
from zoo.core.fields import PixelField
from zoo.core.registry import get_method, methods
from zoo.runs.build import build
from zoo.runs.config import check_config
from zoo.runs.config_files import config_files
from zoo.runs.defaults import method_defaults, resolve
from zoo.runs.optimizers import make_optimizer

CHOICES = [
    f"{file.name}:{source}" + (preset and f":{preset}")
    for file in config_files([ROOT / "scripts" / "configs"])
    for source, presets in file.choices.items()
    for preset in presets or ("",)
]
SOURCES = {
    "svhn": "svhn_cropped",
    "celeba": "celeb_a",
    "cluttered_digits": "cluttered:digits",
    "cluttered_mnist": "cluttered:mnist",
}


def test_there_is_a_config_of_every_method():
    digits = [choice for choice in CHOICES if choice.endswith(":digits")]
    assert {get_config(choice).model.name for choice in digits} == set(zoo.method_names())
    assert len({choice.split(":")[0] for choice in CHOICES}) == len(digits)


@pytest.mark.parametrize("choice", CHOICES)
def test_arguments_are_taken(choice):
    _, source, *preset = choice.split(":")
    config = resolve(check_config(get_config(choice)))
    expected = SOURCES.get(source, source)
    if source == "digits":
        expected = methods()[config.model.name].data
    assert config.data.source.partition(":")[0] == expected.partition(":")[0]
    inspect.signature(data.load).bind(**config.data, seed=config.seed)
    scores.check_protocol(**config.evaluation)
    make_optimizer(**config.optimizer, num_steps=100)
    arguments = set(config.model) - {"name"}
    assert arguments == set(method_defaults(get_method(config.model.name)))
    kind = "convolution" if config.model.name in ("Glow", "ConvolutionalClassifier") else None
    # A chain of convolutions is compiled on no machine, so that runs can go on on any.
    assert config.jit_compile == (config.model.get("blocks", kind) != "convolution")
    small = preset == ["small"] or source == "digits"
    assert (config.epochs <= 500) if small else (config.evaluation.num_images != 1000)


@pytest.mark.parametrize("choice", ["ladder_vae:mnist:small", "structured_undirected:mnist:small"])
def test_builds(choice):
    config = resolve(get_config(choice))
    shape = (28, 28, 1)
    train = pipeline.pipeline({"x": np.zeros((300, *shape), np.float32)}, 100)
    model = build(config, data.Data(train, None, None, {"x": PixelField(shape)}, {"train": 300}))
    assert type(model) is get_method(config.model.name)
    assert type(model.optimizer) is keras.optimizers.Adam
    assert model.compile_chains == config.jit_compile
    assert sum(config.model.latent_dims) == model.latent_dim


def test_stages_of_the_paper():
    """Stage i of Ding and Freedman lasts 3^i epochs: 3,280 in all, which their protocol scores."""
    config = get_config("ais:mnist")
    assert config.epochs == sum(3**i for i in range(8)) and config.optimizer.num_stages == 8
    assert PROTOCOLS["paper"].items() <= config.evaluation.to_dict().items()
    assert config.evaluation.num_increments == 10_000 and config.evaluation.num_images is None


@pytest.mark.parametrize(
    ("source", "num_train", "batch_size"),
    [("mnist", 54_000, 100), ("svhn", 65_931, 100), ("celeba", 146_493, 100)],
)
def test_updates_of_the_paper(source, num_train, batch_size):
    """Nijkamp et al. train for 300,000 updates: the last epoch reaches them."""
    config = get_config(f"short_run:{source}:paper")
    per_epoch = num_train // batch_size
    assert config.data.batch_size == batch_size
    assert (config.epochs - 1) * per_epoch < 300_000 <= config.epochs * per_epoch
    rate = make_optimizer(**config.optimizer, num_steps=300_000)._learning_rate
    found = [float(rate(step)) for step in (0, 100_001, 200_001)]
    np.testing.assert_allclose(found, [1e-4, 5e-5, 1e-5], rtol=1e-6)
