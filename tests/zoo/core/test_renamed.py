"""Names of version 0.1.0 answer with what replaced them."""

import importlib

import keras
import pytest

import zoo
from zoo.core import renamed
from zoo.core.trainable import TrainableModel

# All modules of version 0.1.0 that are not modules now.
MODULES = """annealing base binary_latent binary_posteriors callbacks checkpoint checks cli configs
data.files data.image_sets data.pipeline data.sources deep_latent distribution evaluation
evaluation.active_units evaluation.figures evaluation.figures.registry evaluation.likelihood
evaluation.report experiment export files latent likelihoods models.annealed outputs plots program
rbm_prior registry relaxations sequential step_size"""


@pytest.mark.parametrize("name", MODULES.split())
def test_modules(name):
    with pytest.raises(ImportError, match=r"^zoo\.\S+ is now (zoo|scripts)"):
        importlib.import_module(f"zoo.{name}")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("from zoo import UndirectedDVAE", r'is now zoo.DVAE\(posterior="undirected"\)'),
        ("from zoo import evaluation", "is now zoo.scores, and zoo.analysis for figures"),
        ("from zoo.distribution import together", "its together watching_workers"),
        ("from zoo.likelihoods import Gaussian", "is now zoo.parts.likelihoods"),
        ("from zoo import unheard_of", "cannot import name 'unheard_of'"),
        ("import zoo.unheard_of", "No module named 'zoo.unheard_of'"),
    ],
)
def test_imports(statement, message):
    with pytest.raises(ImportError, match=message):
        exec(statement, {})


def test_names():
    for name in [name for name in renamed.NAMES if "." not in name]:
        if not hasattr(zoo, name):
            with pytest.raises(AttributeError, match=f"^zoo.{name} is now "):
                getattr(zoo, name)
    assert issubclass(zoo.likelihoods.Gaussian, keras.layers.Layer)
    with pytest.raises(AttributeError, match="module 'zoo' has no attribute 'unheard_of'"):
        zoo.unheard_of  # noqa: B018
    with pytest.raises(zoo.UsageError, match="model: 'UndirectedDVAE' is now zoo.DVAE"):
        zoo.get_method("UndirectedDVAE")


class Model(TrainableModel):
    def __init__(self, **kwargs):
        super().__init__(fields={}, **kwargs)
        self.visible = "its own"

    @property
    def broken(self):
        return self.missing_part


def test_attributes_of_models():
    model = Model()
    assert model.visible == "its own"
    assert not hasattr(model, "posterior")
    for name, message in {
        "event_shape": r'event_shape of a model is now fields\["x"\].shape\.',
        "observe": r"observe of a model is now preprocess\(batch, seed\)\.",
        "unheard_of": "'Model' object has no attribute 'unheard_of'",
        "broken": "'Model' object has no attribute 'missing_part'",
    }.items():
        with pytest.raises(AttributeError, match=message):
            getattr(model, name)


def test_arguments_of_models():
    with pytest.raises(zoo.UsageError, match='num_groups is now .* posterior, {"name": "directed"'):
        Model(num_groups=2)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
        Model(unheard_of=2)


def test_a_deprecation_warns_until_the_version_that_removes():
    with pytest.warns(FutureWarning, match="^old is deprecated, and version 99.0.0 removes"):
        renamed.deprecate("old", "new", "99.0.0")
    for past in ("0.1.0", zoo.__version__):
        with pytest.raises(zoo.UsageError, match=f"^old was removed in version {past}; use new"):
            renamed.deprecate("old", "new", past)
