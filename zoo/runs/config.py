"""The configs of experiments: what `scripts/configs` is made of."""

import dataclasses

import ml_collections
import tensorflow as tf

from zoo.core.annealing import PROTOCOLS
from zoo.core.checks import check_choice
from zoo.parts.step_size_search import StepSizeSearch

# What an evaluation does beside the annealing.
_BESIDE = {"num_simulated": 100, "num_importance_samples": 5000}


def digits_config(**model) -> ml_collections.ConfigDict:
    """The config of a run on the embedded digits, with `model` (its name and arguments) filled in.

    Everything else is the same for all methods, so that comparisons are fair.
    """
    return base_config(
        data={"source": "digits", "batch_size": 50},
        model={"latent_dim": 16, "hidden": (200, 200)} | model,
        epochs=400,
    )


def mnist_config(preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The same on MNIST: the sizes of papers, or the preset "small".

    Hoffman's (2017) sizes are not known; these are near those of the papers that compare with it.

    Raises:
      UsageError: for another preset.
    """
    return _image_config({"source": "mnist"}, preset, model)


def omniglot_config(preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The same on Omniglot, 28 by 28 pixels, bright ink.

    TFDS tests on other alphabets than it trains on, so that values are not those of Burda et al.
    (2016), who split the images of all alphabets at random.
    """
    omniglot = {"source": "omniglot", "size": 28, "grey": True, "invert": True}
    return _image_config(omniglot, preset, model)


def cifar10_config(preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The same on CIFAR-10, with discretised logistic pixels, so in bits per dimension, too."""
    likelihood = {"name": "discretised_logistic", "scale": 0.1, "learn_scale": True}
    return _image_config({"source": "cifar10"}, preset, {"likelihood": likelihood} | model)


def ding_config(data_set: str, preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The experiments of Ding and Freedman (2020): networks 784-200-200-50 of Burda et al. (2016).

    Args:
      data_set: "mnist" or "omniglot".
      preset: "paper", with their 3,280 epochs and 10,000 increments in evaluation (of which a
        single model takes days without an accelerator), or "small", with 25 epochs.
      **model: its name and arguments.

    Raises:
      UsageError: for another preset.
    """
    check_choice("preset", preset, ("paper", "small"))
    networks = {
        "latent_dim": 50,
        "hidden": (200, 200),
        "upper_latent_dim": 0,  # of a second stochastic layer; Burda et al. have 100 and 50
        "activation": "tanh",
    }
    config = {"mnist": mnist_config, "omniglot": omniglot_config}[data_set]("small")
    config.model = networks | {"likelihood": "bernoulli"} | model
    config.data.batch_size = 128
    config.optimizer.epsilon = 1e-4
    if preset == "paper":
        config.epochs = 3280
        config.optimizer.num_stages = 8
        config.optimizer.final_learning_rate = 1e-4
        config.evaluation.update(PROTOCOLS["paper"])
        config.evaluation.num_images = ml_collections.config_dict.placeholder(int)  # all
    return config


# What Nijkamp et al. (2020) train on, as `zoo.data.load` takes it.
_NIJKAMP_DATA = {
    "digits": {"source": "digits"},
    "mnist": {"source": "mnist"},
    "svhn": {"source": "svhn_cropped"},
    "cifar10": {"source": "cifar10"},
    "celeba": {"source": "celeb_a", "size": 32},
}
_NIJKAMP_SIZES = {
    # Three layers of table 4, 300,000 updates.
    "paper": {"latent_dims": (32, 64, 128), "width": 64, "blocks": "convolution"},
    "small": {"latent_dims": (8, 16, 16), "width": 8, "blocks": "convolution"},
    "dense": {"latent_dims": (8, 16, 16), "width": 128, "blocks": "dense"},
}


def nijkamp_config(data_set: str, preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The experiments of Nijkamp et al. (2020): top-down generators with several layers.

    The same networks, noise and optimizer for all methods.

    Args:
      data_set: "digits" (which has one preset, of dense blocks), "mnist", "svhn", "cifar10" (not in
        the paper) or "celeba", of 32 by 32 pixels (`data.size` of 64 is the paper's other).
      preset: "paper", with their networks and 300,000 updates; "small", with few channels and some
        thousand updates; or "dense", fully connected.
      **model: its name and arguments.

    Raises:
      UsageError: for another data set or preset.
    """
    check_choice("preset", preset, _NIJKAMP_SIZES)
    data = {"batch_size": 100} | _NIJKAMP_DATA[check_choice("data_set", data_set, _NIJKAMP_DATA)]
    networks = _NIJKAMP_SIZES[preset]
    if data_set == "digits":
        networks = {"latent_dims": (8, 8, 8), "width": 64, "blocks": "dense"}
    else:
        data["data_dir"] = ml_collections.config_dict.placeholder(str)
    likelihood = {"name": "gaussian", "scale": 0.15}
    if preset == "paper" and data_set != "digits":
        likelihood |= {"annealed_from": 0.3, "annealing_steps": 50_000}
    networks = networks | {"hierarchical": False, "likelihood": likelihood}
    if model["name"] in ("ShortRun", "ABP"):
        search = dataclasses.asdict(StepSizeSearch())
        networks["step_size_search"] = search | {"grid": list(search["grid"])}
        networks["centred"] = False
    config = base_config(
        data=data, model=networks | model, epochs=167 if data_set == "digits" else 5
    )
    config.evaluation.start = "prior"
    if networks["blocks"] == "convolution" and not tf.config.list_physical_devices("GPU"):
        # On a CPU convolutions in a compiled loop take 6 times as long as uncompiled ones.
        config.jit_compile = False
    if data_set != "digits":
        config.evaluation.num_images = 300
    if preset == "paper" and data_set != "digits":
        config.epochs = _NIJKAMP_EPOCHS[data_set]
        config.optimizer = {"name": "Adam", "learning_rate": (1e-4, 5e-5, 1e-5)}
    return config


# 300,000 updates, to the next epoch, of what is left of TFDS's training splits.
_NIJKAMP_EPOCHS = {"mnist": 556, "svhn": 456, "cifar10": 667, "celeba": 205}


_VAHDAT_BATCHES = {"digits": 12, "mnist": 540}  # of 100 images, in an epoch


def vahdat_config(data_set: str, preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The experiments of Vahdat et al. (2020): binary latents with an RBM prior.

    The same networks, particles, warm-up and optimizer for all posteriors.

    Args:
      data_set: "digits", which has one preset, of 8 + 8 latents, where log Z can be enumerated; or
        "mnist".
      preset: "paper", with 100 + 100 latents and a million updates; or "small", with ten thousand.
      **model: its name and arguments.

    Raises:
      UsageError: for another data set or preset.
    """
    check_choice("preset", preset, ("paper", "small"))
    data = {
        "digits": {"source": "digits"},
        "mnist": {"source": "mnist"},
    }[check_choice("data_set", data_set, _VAHDAT_BATCHES)]
    if data_set == "digits":
        networks, epochs = {"latent_dims": (8, 8), "hidden": (100, 100)}, 500
        optimizer = {"name": "Adam", "learning_rate": 3e-3, "final_learning_rate": 3e-4}
    else:
        data["data_dir"] = ml_collections.config_dict.placeholder(str)
        num_updates = 1_000_000 if preset == "paper" else 10_000
        networks = {"latent_dims": (100, 100), "hidden": (200, 200)}
        epochs = num_updates // _VAHDAT_BATCHES["mnist"]
        optimizer = {
            "name": "Adam",
            "learning_rate": (3e-4, 3e-3, 1e-3, 3e-4, 1e-4),
            "boundaries": (0.02, 0.6, 0.75, 0.95),
            "epsilon": 1e-3,
        }
    networks |= {
        "layer_normalisation": True,
        "relaxation": {"name": "piecewise_linear", "beta": 4.0},
        "num_samples": 1,
        "warmup_steps": 3 * epochs * _VAHDAT_BATCHES[data_set] // 10,
        "num_particles": 1000,
        "num_sweeps": 40,
        "particles": "population",
    }
    config = base_config(data={"batch_size": 100} | data, model=networks | model, epochs=epochs)
    config.optimizer = optimizer
    config.evaluation.num_importance_samples = 4000
    if data_set != "digits" and preset == "small":
        config.evaluation.num_images = 1000
    return config


def structured_config(data_set: str, preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """Bottom halves of images given the top ones (Vahdat et al. 2020, section 4.3).

    Args: as `vahdat_config`.

    Raises:
      UsageError: for another data set or preset.
    """
    config = vahdat_config(data_set, preset, name=model["name"])
    small = data_set == "digits"
    config.epochs = 200 if small else config.epochs
    config.optimizer = {"name": "Adam", "learning_rate": 3e-3 if small else 3e-4}
    shared = ("latent_dims", "layer_normalisation", "likelihood", "relaxation", "num_samples")
    networks = {name: config.model[name] for name in shared} | {
        "hidden": config.model.hidden[:1],
        "mask": "bottom",
        "entropy_weight": 0.05,
        "entropy_steps": config.epochs * _VAHDAT_BATCHES[data_set] // 2,
    }
    config.model = ml_collections.ConfigDict(networks | model)
    return config


def _image_config(source, preset, model):
    sizes = {
        "paper": {"latent_dim": 64, "hidden": (500, 500)},
        "small": {"latent_dim": 32, "hidden": (200, 200)},
    }
    check_choice("preset", preset, sizes)
    config = base_config(
        data={"batch_size": 250, "data_dir": ml_collections.config_dict.placeholder(str)} | source,
        model=sizes[preset] | model,
        epochs=25 if preset == "small" else 500,
    )
    config.evaluation.num_images = 300
    if preset == "paper":
        config.optimizer.final_learning_rate = 1e-4
    return config


def base_config(*, data: dict, model: dict, epochs: int) -> ml_collections.ConfigDict:
    """The parts that every experiment has."""
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "data": data,
            "model": {"likelihood": "bernoulli"} | model,
            "optimizer": {"name": "Adam", "learning_rate": 1e-3},
            "epochs": epochs,
            "jit_compile": True,
            "evaluation": PROTOCOLS["quick"] | {"start": "posterior"} | _BESIDE,
        }
    )
