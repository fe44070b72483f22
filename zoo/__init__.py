"""Deep latent-variable models trained with Markov chain Monte Carlo, as Keras models.

Its names are imported when they are asked for, and TensorFlow with them; `import zoo` is at once.
"""

from zoo.core import environment  # noqa: F401 (which looks around before the rest is imported)

# isort: split
import importlib

from zoo.core import finders

_ROOMS = ("analysis", "data", "models", "parts", "runs", "scores", "serving", "testing")
_LIGHT = {  # those without TensorFlow
    "UsageError": "zoo.core.checks",
    "VERSION": "zoo.core.version",
    "__version__": "zoo.core.version",
    "preset_names": "zoo.core.presets",
}
_PLACES = {
    "Checkpoints": "zoo.runs.checkpoints",
    "GenerativeModel": "zoo.core.generative",
    "LatentVariableModel": "zoo.core.latent",
    "Paper": "zoo.core.registry",
    "Proposal": "zoo.core.latent",
    "TrainableModel": "zoo.core.trainable",
    "export": "zoo.serving.export",
    "from_preset": "zoo.core.preset_files",
    "get_method": "zoo.core.registry",
    "likelihoods": "zoo.parts",
    "load": "zoo.runs.workdir",
    "method_names": "zoo.core.registry",
    "register": "zoo.core.registry",
    "to_arviz": "zoo.analysis.traces",
    "trace": "zoo.analysis.traces",
}
_SHOWN = ("data", "models", "parts", "scores", *_LIGHT, *_PLACES)


def __getattr__(name):
    """What is not imported yet; the methods are the names that are in no table."""
    if name in _LIGHT:
        return getattr(importlib.import_module(_LIGHT[name]), name)
    if name not in (*_ROOMS, *_PLACES):
        importlib.import_module("zoo.core.renamed").check_name(name)
        if name.startswith("_") and name != "__all__":  # what Python asks of every module
            raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    methods = importlib.import_module("zoo.models")  # whatever is asked for: it registers them
    if name == "__all__":
        return [*_SHOWN, *methods.__all__]
    if name in _ROOMS:
        return importlib.import_module(f"zoo.{name}")
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    if name in methods.__all__:
        return getattr(methods, name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__getattr__("__all__")})


finders.begin()
