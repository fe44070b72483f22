"""Names of earlier versions: each answers with one sentence that tells the new one."""

import warnings
from collections.abc import Iterable

from zoo.core import version
from zoo.core.checks import UsageError

NAMES = {  # of `zoo`: modules, and what they held
    "UndirectedDVAE": 'zoo.DVAE(posterior="undirected")',
    "UndirectedStructuredPrediction": 'zoo.StructuredPrediction(posterior="undirected")',
    "annealing": "zoo.core.annealing",
    "base": "zoo.core.trainable and zoo.core.generative",
    "binary_latent": "zoo.models.binary_latent",
    "binary_posteriors": "zoo.parts.DirectedPosterior and zoo.parts.UndirectedPosterior",
    "callbacks": "zoo.core.callbacks and zoo.runs.callbacks",
    "checkpoint": "zoo.Checkpoints",
    "checks": "zoo.core.checks",
    "cli": "zoo.runs.cli",
    "configs": "zoo.runs.config, and scripts/configs for the presets of papers",
    "data.files": "zoo.data.npz and zoo.data.images",
    "data.image_sets": "zoo.data.tfds",
    "data.pipeline": "zoo.core.pipeline",
    "data.sources": "zoo.data.load",
    "deep_latent": "zoo.models.deep_latent",
    "distribution": "zoo.runs.strategies, and its together watching_workers",
    "evaluation": "zoo.scores, and zoo.analysis for figures",
    "experiment": "zoo.runs.build and zoo.runs.workdir",
    "export": "zoo.serving.export",
    "files": "zoo.core.files",
    "latent": "zoo.core.latent",
    "likelihoods": "zoo.parts.likelihoods",
    "models.annealed": "zoo.models.annealed_vae and zoo.models.iwae",
    "outputs": "zoo.runs.writers",
    "plots": "zoo.analysis.pictures",
    "program": "zoo.core.compiled.compiled_method",
    "rbm_prior": "zoo.parts.rbm_prior",
    "registry": "zoo.core.registry",
    "relaxations": "zoo.parts.relaxations",
    "sequential": "zoo.parts.gaussians",
    "step_size": "zoo.parts.step_size_search",
}
ATTRIBUTES = {  # of models
    "check_visible": "visible_field.check",
    "encoding": "posterior_distribution(batch)",
    "event_shape": 'fields["x"].shape',
    "has_bound": 'zoo.core.abilities.defines(model, "log_weights")',
    "log_prob_of_pixels": "log_prob_where(batch, z, mask)",
    "num_examples": 'fields["index"].num_examples',
    "num_inpainting_steps": "num_completion_steps",
    "observe": "preprocess(batch, seed)",
    "pixels": "observation_model",
    "posterior": "posterior_distribution(batch)",
    "prepare_scores": "prepare_for_scores(seed)",
    "rbm_prior": "prior_part",
    "scoring": "protocol",
    "upper_decoder": "prior_part.upper_decoder",
    "upper_encoder": "posterior_part.upper_encoder",
    "visible": "visible_field.only",
}
CLASSES = ("UndirectedDVAE", "UndirectedStructuredPrediction")  # that Keras files name
ARGUMENTS = {  # of models
    "event_shape": 'fields, {"x": zoo.core.fields.PixelField(event_shape)}',
    "num_groups": 'posterior, {"name": "directed", "num_groups": ...}',
    "num_posterior_sweeps": 'posterior, {"name": "undirected", "num_posterior_sweeps": ...}',
    "num_relaxed_sweeps": 'posterior, {"name": "undirected", "num_relaxed_sweeps": ...}',
    "upper_decoder": "prior, zoo.parts.LayeredPrior(upper_decoder)",
    "upper_encoder": "posterior, zoo.parts.TwoLayerPosterior(upper_encoder)",
}


class OldFile:
    """What stands for a Keras class of version 0.1.0, whose files are refused."""

    @classmethod
    def from_config(cls, config):
        version.check(config.get("zoo_version"), f"model {config.get('name')!r}")


def deprecate(old: str, new: str, removed_in: str) -> None:
    """Warns of what a later version removes; from that version on it is refused.

    Args:
      old: what a user wrote, the subject of the sentence.
      new: what is to be written instead.
      removed_in: the version that removes it, such as "0.4.0".

    Raises:
      UsageError: if this is that version, or a later one.
    """
    if version.is_before(removed_in):
        told = f"{old} is deprecated, and version {removed_in} removes it; use {new}."
        warnings.warn(told, FutureWarning, stacklevel=3)
    else:
        raise UsageError(f"{old} was removed in version {removed_in}; use {new}.")


def check_method(name: str) -> None:
    """Refuses a method of an earlier version.

    Raises:
      UsageError: naming what replaced it.
    """
    if name in NAMES:
        raise UsageError(f"model: {name!r} is now {NAMES[name]}.")


def check_arguments(given: Iterable[str]) -> None:
    """Refuses arguments of models of an earlier version.

    Raises:
      UsageError: naming what replaced one of them.
    """
    for name in given:
        if name in ARGUMENTS:
            raise UsageError(f"{name} is now given by the argument {ARGUMENTS[name]}.")


def check_name(name: str) -> None:
    """Refuses a name of `zoo` of an earlier version.

    Raises:
      AttributeError: naming what replaced it.
    """
    if name in NAMES:
        raise AttributeError(_told(name))


def check_import(name: str) -> None:
    """Refuses a module of `zoo` of an earlier version.

    Raises:
      ImportError: naming what replaced it.
    """
    if name in NAMES:
        raise ImportError(_told(name), name=f"zoo.{name}")


def check_attribute(name: str) -> None:
    """Refuses an attribute of models of an earlier version.

    Raises:
      AttributeError: naming what replaced it.
    """
    if name in ATTRIBUTES:
        raise AttributeError(f"{name} of a model is now {ATTRIBUTES[name]}.")


def _told(name):
    return f"zoo.{name} is now {NAMES[name]}."
