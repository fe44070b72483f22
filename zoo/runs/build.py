"""What a config is of: its data and its compiled model."""

import contextlib

import keras
import ml_collections
import tensorflow as tf

from zoo import data
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count
from zoo.core.registry import get_method
from zoo.core.replicas import takes_several_steps
from zoo.runs.defaults import model_arguments
from zoo.runs.optimizers import make_optimizer
from zoo.runs.workdir import load


def load_data(config: ml_collections.ConfigDict) -> data.Data:
    """The data of a config.

    Raises:
      UsageError: for a source that is unknown or broken, or an argument that `load` does not take.
    """
    with _taking("data: load"):
        return data.load(**config.data, seed=config.seed)


def build(config: ml_collections.ConfigDict, dataset: data.Data) -> keras.Model:
    """The compiled model of a config.

    Args:
      config: of a run.
      dataset: its data, by which networks are made and learning rates are scheduled.

    Returns:
      The model.

    Raises:
      UsageError: for an unknown method or optimizer, an argument it does not take, or a work
        directory of a part that has no trained model.
    """
    check_count(
        **{
            name: config[name]
            for name in ("epochs", "validation_freq", "save_freq", "steps_per_execution")
        }
    )
    num_steps = config.epochs * int(dataset.train.cardinality())
    with _taking("optimizer"):
        optimizer = make_optimizer(**config.optimizer, num_steps=num_steps)
    arguments = config.model.to_dict()
    method = get_method(arguments.pop("name"))
    for name in model_arguments(method) & arguments.keys():
        if isinstance(arguments[name], str):  # the work directory of a trained one
            try:
                arguments[name] = load(arguments[name])
            except UsageError as error:
                raise UsageError(f"model.{name} must be a trained run; {error}") from None
    with _taking(f"model: {method.__name__}"):
        model = method.for_data(dataset, seed=config.seed, **arguments)
    # Before it is trained: a posterior that scores its own draws alone is annealed from the prior.
    asked = config.evaluation.get("start") == "posterior" and getattr(model, "can_be_annealed", 0)
    if asked and not defines(model, "posterior_distribution"):
        raise UsageError(
            "evaluation.start must be 'prior' for a model without a posterior that can score any "
            "z; it was 'posterior'."
        )
    strategy = tf.distribute.get_strategy()
    model.compile(
        optimizer,
        jit_compile=config.jit_compile,
        steps_per_execution=config.steps_per_execution if takes_several_steps(strategy) else 1,
    )
    return model


@contextlib.contextmanager
def _taking(what):
    """Tells of arguments that something from a config does not take."""
    try:
        yield
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} does not take this: {error}") from error
