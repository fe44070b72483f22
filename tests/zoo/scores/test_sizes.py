"""Every question to models of each kind, about no image, one, two and many."""

import contextlib

import keras
import numpy as np
import pytest
from eager import eagerly
from linear_gaussian import NUM_LATENTS, linear_gaussian, linear_model
from small_dvaes import images, small

import zoo
from zoo import scores
from zoo.core.annealing import Annealing, ImportanceSampling
from zoo.parts import DirectedPosterior, rbm_prior

LAW = linear_gaussian()
X = LAW.simulate(1001)
VISIBLE = np.arange(6) < 3
SMALL = {"num_chains": 1, "num_increments": 2, "num_leapfrog_steps": 1}


def with_encoder():
    model = linear_model(zoo.VAE, LAW)
    model.protocol = Annealing(2, 2, 1, start="prior")
    return model, X


def without_encoder():
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(6)])
    model = zoo.ShortRun(decoder, num_steps=1)
    model.compile("sgd", jit_compile=False)
    model.protocol = Annealing(1, 2, 1, start="prior")
    return model, X


def of_bits():
    model = small(DirectedPosterior((4, 4)))
    model.protocol = ImportanceSampling(1)
    return model, images(1001).numpy()


MODELS = {"with encoder": with_encoder, "without encoder": without_encoder, "bits": of_bits}


def questions(model, x):
    """By name, with the number of answers."""
    size = len(x)
    quiet = {"verbose": False}
    yield "sample", lambda: model.sample(size, 0)["x"]
    yield "reconstruct", lambda: model.reconstruct(x, 0)["x"]
    yield "inpaint", lambda: model.inpaint(x, VISIBLE, 0, num_steps=1)["x"]
    yield "encode", lambda: model.encode(x)["z"]
    yield "log_likelihood", lambda: model.log_likelihood(x)["log_likelihood"]
    for start in ("prior", "posterior") if model.can_be_annealed else ():
        if start == "prior" or (hasattr(model, "encoder") and size < 3):
            arguments = SMALL | quiet | {"start": start}
            yield (
                f"scores.log_likelihood, {start}",
                lambda kwargs=arguments: scores.log_likelihood(model, x, **kwargs).per_image,
            )
    if model.can_be_annealed and size < 3:
        yield (
            "bidirectional",
            lambda: scores.bidirectional(model, num_images=size, **SMALL, **quiet)[:3],
        )
    if hasattr(model, "encoder"):
        yield (
            "importance_weighted_bound",
            lambda: scores.importance_weighted_bound(model, x, num_samples=1).per_image,
        )
    if size == 2:
        settings = SMALL if model.can_be_annealed else {}
        few = {"num_simulated": 1, "num_importance_samples": 1}
        yield "report", lambda: scores.report(model, x, **few, **settings, **quiet)[1]


@pytest.fixture(autouse=True)
def short_annealing(monkeypatch):
    """Where an RBM is drawn from, and log Z is estimated."""
    monkeypatch.setattr(rbm_prior._RBMDistribution, "num_increments", 3)
    estimate = rbm_prior.RBMPrior.estimate_log_normalizer
    monkeypatch.setattr(
        rbm_prior.RBMPrior,
        "estimate_log_normalizer",
        lambda self, seed, **_: estimate(self, seed, num_chains=5, num_increments=3),
    )


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("make", "size"),
    [
        pytest.param(
            make,
            size,
            id=f"{name}-{size}",
            marks=[pytest.mark.slow] * (size == 2 or (size > 1 and name != "bits")),
        )
        for name, make in MODELS.items()
        for size in (0, 1, 2, 1001)
    ],
)
def test_any_number_of_images(make, size):
    model, x = make()
    # Of one image some are traced: what is known of shapes is special there.
    traced = size == 1 and make is without_encoder
    with contextlib.nullcontext() if traced else eagerly():
        for name, ask in questions(model, x[:size]):
            if size == 0:
                with pytest.raises(zoo.UsageError, match="at least one|greater than 0"):
                    ask()
            else:
                answer = np.asarray(ask())
                many = size if not name.startswith("bidirectional") else 3
                assert len(answer) == many and np.isfinite(answer).all(), name


def test_errors_of_one_are_unknown_and_said():
    """Of one image, and of one chain."""
    model, x = with_encoder()
    with eagerly():
        figures, _ = scores.report(
            model, x[:1], num_simulated=1, num_importance_samples=2, verbose=False, **SMALL
        )
    unknown = {"log_likelihood_stderr", "log_likelihood_chain_stderr", "bdmc_gap_stderr"}
    assert {k for k in figures if k.endswith("stderr") and figures[k] is None} == unknown
    told = " ".join(figures["warnings"])
    assert "log_likelihood: its error over images is unknown, since there was one" in told
    assert "log_likelihood: its error over chains is unknown, since there was one" in told
