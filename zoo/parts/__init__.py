"""What models are put together from: priors, posteriors, likelihoods, chains that go on."""

from zoo.parts import likelihoods
from zoo.parts.directed_posterior import DirectedPosterior
from zoo.parts.flow_posteriors import IAFPosterior, NICEPosterior, PlanarPosterior
from zoo.parts.gaussian_posteriors import (
    GaussianPosterior,
    LadderPosterior,
    MeanFieldPosterior,
    TwoLayerPosterior,
)
from zoo.parts.independent_prior import IndependentPrior
from zoo.parts.part import Part
from zoo.parts.persistent_chains import PersistentChains
from zoo.parts.posterior import Posterior
from zoo.parts.priors import LayeredPrior, StandardNormalPrior
from zoo.parts.rbm_prior import RBMPrior
from zoo.parts.step_size import AcceptanceStepSize, LearnedStepSize
from zoo.parts.step_size_search import StepSizeSearch
from zoo.parts.undirected_posterior import UndirectedPosterior

__all__ = [
    "AcceptanceStepSize",
    "DirectedPosterior",
    "GaussianPosterior",
    "IAFPosterior",
    "IndependentPrior",
    "LadderPosterior",
    "LayeredPrior",
    "LearnedStepSize",
    "MeanFieldPosterior",
    "NICEPosterior",
    "Part",
    "PersistentChains",
    "PlanarPosterior",
    "Posterior",
    "RBMPrior",
    "StandardNormalPrior",
    "StepSizeSearch",
    "TwoLayerPosterior",
    "UndirectedPosterior",
    "likelihoods",
]
