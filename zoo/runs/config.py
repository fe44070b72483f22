"""The schema of a config: the parts that every experiment has, and how they are checked."""

from collections.abc import Mapping, Sequence

import ml_collections

from zoo.core.checks import UsageError, check_choice
from zoo.core.choices import PROTOCOLS


def base_config(*, data: dict, model: dict, epochs: int) -> ml_collections.ConfigDict:
    """A config with the parts that every experiment has, the same for all methods.

    Args:
      data: what `zoo.data.load` takes: `source`, `batch_size` and so on.
      model: `name`, a registered method, and what its `for_data` takes.
      epochs: of the training.

    Returns:
      The config; what is left out of its parts has its default.
    """
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "data": data,
            "model": model,
            "optimizer": {"name": "Adam", "learning_rate": 1e-3},
            "epochs": epochs,
            "validation_freq": 1,  # epochs from one validation to the next; the last has one
            "save_freq": 1,  # epochs from one checkpoint to the next
            "steps_per_execution": 10,  # training steps of one call of the compiled program
            "jit_compile": True,
            "evaluation": PROTOCOLS["quick"]
            | {"start": "posterior", "num_simulated": 100, "num_importance_samples": 5000},
        }
    )


def choose(choice: str, choices: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Reads what stands behind the name of a config, `DATA` or `DATA:PRESET`.

    Args:
      choice: such as "mnist:small"; "" is the first of `choices`, with its first preset.
      choices: the presets of each data set, by its name; () of one without presets.

    Returns:
      The data set and the preset, "" of a data set without presets.

    Raises:
      UsageError: for others, naming the nearest.
    """
    data, colon, preset = choice.partition(":")
    data = check_choice("data", data or next(iter(choices)), choices)
    presets = choices[data]
    if colon and not presets:
        raise UsageError(f"preset: {data!r} has no presets; it was {preset!r}.")
    if colon:
        check_choice("preset", preset, presets)
    return data, preset if colon else next(iter(presets), "")


def check_config(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Returns a config, once it is known to have the parts that every experiment has.

    Raises:
      UsageError: naming what is missing or of another kind, or wrong in `evaluation`.
    """
    from zoo import scores  # with TensorFlow, which the rest of this file must do without

    template = base_config(data={}, model={"name": ""}, epochs=0)
    if not isinstance(config, ml_collections.ConfigDict):
        raise UsageError(f"config must be a ConfigDict; it was a {type(config).__name__}.")
    for key, example in template.items():
        kind = type(example)
        value = config.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UsageError(f"config: {key} must be a {kind.__name__}; it was {value!r}.")
    for key, part in (("name", config.model), ("name", config.optimizer)):
        if not isinstance(part.get(key), str):
            raise UsageError(f"config: model and optimizer must have a {key}.")
    scores.check_protocol(**config.evaluation)
    return config
