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
from zoo import callbacks, cli, experiment, outputs
from zoo.checks import UsageError
from zoo.evaluation.chunks import collect

CONFIG = cli.define_config(pathlib.Path(__file__).parent / "configs", "hmc_dlgm_digits")
STRATEGY = cli.define_strategy()
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the run is written; runs/CONFIG below this folder by default."
)
OVERWRITE = flags.DEFINE_boolean(
    "overwrite", False, "Whether to begin anew where an unfinished run could go on."
)


def main() -> None:
    config = experiment.check_config(CONFIG.value)
    experiment.resolve_paths(config)
    data = experiment.load_data(config)
    num_images, num_tested = config.evaluation.get("num_images"), data.num_examples["test"]
    if num_images is not None and num_images > num_tested:
        raise UsageError(f"num_images must be at most {num_tested}; it was {num_images}.")
    with cli.make_strategy(STRATEGY.value).scope():
        model = experiment.build(config, data)
    # runs/hmc_dlgm_mnist, or runs/hmc_dlgm_mnist_small for its preset.
    name = pathlib.Path(flags.FLAGS["config"].config_filename).name.replace(".py", "")
    default = pathlib.Path("runs") / name.replace(":", "_")
    workdir = experiment.start_run(WORKDIR.value or default, config, overwrite=OVERWRITE.value)
    checkpoints = zoo.Checkpoints(workdir / experiment.CHECKPOINTS)
    done = checkpoints.restore(model)
    if done:
        print(f"{str(workdir)!r} goes on after epoch {done}.")
    experiment.continue_metrics(workdir, done)
    shown = collect(model, data.validation.take(1))[:10]
    logs = workdir / "tensorboard"
    model.fit(
        data.train,
        epochs=config.epochs,
        initial_epoch=done,
        validation_data=data.validation,
        callbacks=[
            keras.callbacks.CSVLogger(workdir / "metrics.csv", append=True),
            keras.callbacks.TensorBoard(logs, write_graph=False),
            callbacks.PictureLogger(logs, shown, every=max(1, config.epochs // 10)),
            checkpoints,
        ],
    )
    outputs.write_model(model, workdir)
    outputs.write_evaluation(model, data.test, workdir, seed=config.seed, **config.evaluation)
    outputs.write_pictures(model, data.test, workdir, config.seed)
    experiment.finish_run(workdir)


if __name__ == "__main__":
    cli.run(main)
