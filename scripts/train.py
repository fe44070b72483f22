"""Trains the model of a config, scores it, and leaves a work directory.

    python scripts/train.py --config=vae_digits --config.epochs=100
    tensorboard --logdir=runs

A run that was interrupted goes on when the same command is given again, from the last whole epoch,
to the same weights bit for bit.

The work directory holds config.json, model.keras, metrics.csv (a row per epoch), evaluation.json,
log_likelihood.csv (a row per test image), samples.png, reconstructions.png, inpainting.png, and
tensorboard/ with the metrics, such as acceptance, energy error and step size, and pictures.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pathlib

import keras
from absl import flags

import zoo
from zoo.core import replicas
from zoo.core.checks import UsageError
from zoo.runs import callbacks, cli, experiment, outputs, strategies
from zoo.scores.chunks import collect

CONFIG = cli.define_config(pathlib.Path(__file__).parent / "configs", "hmc_dlgm_digits")
STRATEGY = cli.define_strategy()
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the run is written; runs/CONFIG below this folder by default."
)
OVERWRITE = flags.DEFINE_boolean(
    "overwrite", False, "Whether to begin anew where an unfinished run could go on."
)


def main() -> None:
    strategy = strategies.make_strategy(STRATEGY.value)
    chief = replicas.is_chief(strategy)  # the others train, and write nothing
    config = experiment.check_config(CONFIG.value)
    experiment.resolve_paths(config)
    data = experiment.load_data(config)
    num_images, num_tested = config.evaluation.get("num_images"), data.num_examples["test"]
    if num_images is not None and num_images > num_tested:
        raise UsageError(f"num_images must be at most {num_tested}; it was {num_images}.")
    # runs/hmc_dlgm_mnist, or runs/hmc_dlgm_mnist_small for its preset.
    name = pathlib.Path(flags.FLAGS["config"].config_filename).name.replace(".py", "")
    workdir = pathlib.Path(WORKDIR.value or pathlib.Path("runs") / name.replace(":", "_"))
    with strategy.scope():
        model = experiment.build(config, data)
    with strategies.together(strategy):
        if chief:
            experiment.start_run(workdir, config, overwrite=OVERWRITE.value)
        checkpoints = zoo.Checkpoints(workdir / experiment.CHECKPOINTS)
        done = checkpoints.restore(model)
        if done and chief:
            print(f"{str(workdir)!r} goes on after epoch {done}.")
        loggers = _loggers(model, data, workdir, config.epochs, done) if chief else []
        model.fit(
            data.train,
            epochs=config.epochs,
            initial_epoch=done,
            validation_data=data.validation,
            callbacks=[*loggers, checkpoints],
            verbose="auto" if chief else 0,
        )
    if not chief:
        return
    outputs.write_model(model, workdir)
    outputs.write_evaluation(model, data.test, workdir, seed=config.seed, **config.evaluation)
    outputs.write_pictures(model, data.test, workdir, config.seed)
    experiment.finish_run(workdir)


def _loggers(model, data, workdir, num_epochs, done):
    """What writes metrics and pictures after the epochs that are done."""
    experiment.continue_metrics(workdir, done)
    shown = collect(model, data.validation.take(1))[:10]
    logs = workdir / "tensorboard"
    return [
        keras.callbacks.CSVLogger(workdir / "metrics.csv", append=True),
        keras.callbacks.TensorBoard(logs, write_graph=False),
        callbacks.PictureLogger(logs, shown, every=max(1, num_epochs // 10)),
    ]


if __name__ == "__main__":
    cli.run(main)
