"""Trains the model of a config, scores it, and leaves a work directory.

    python scripts/train.py --list
    python scripts/train.py --config=vae --config.epochs=100
    python scripts/train.py --config=vae:mnist:small
    python scripts/train.py --config=vae --init=vae_digits --config.data.source=images:mine
    tensorboard --logdir=runs

The first tells methods, data and presets. A run that was interrupted goes on when the same command
is given again, from its last checkpoint, to the same weights bit for bit.

With --init the networks, and all else that a model's file holds, are those of a trained model when
the training begins; its images must have the same shape. The optimizer is new.

The work directory holds config.json (with every default), model.keras, metrics.csv (a row per
epoch), evaluation.json, log_likelihood.csv (a row per test image), samples.png,
reconstructions.png, inpainting.png, and tensorboard/ with the metrics, such as acceptance, energy
error and step size, and pictures; and manifest.json, which lists them.
"""

import pathlib

from absl import flags

from zoo.runs import cli

CONFIG = cli.define_config(pathlib.Path(__file__).parent / "configs", "hmc_dlgm")
STRATEGY = cli.define_strategy()
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Where the run is written; runs/METHOD_DATA or runs/METHOD_DATA_PRESET by default, where DATA "
    "is the name of the folder or file of --config.data.source.",
)
INIT = cli.define_preset("init", "A trained model whose weights the training starts from")
OVERWRITE = flags.DEFINE_boolean(
    "overwrite", False, "Whether to remove a run that is there, finished or not, and begin anew."
)

if __name__ == "__main__":
    cli.parse()

import contextlib
import time

import numpy as np

import zoo
from zoo.analysis import pictures
from zoo.core import replicas
from zoo.core.abilities import defines
from zoo.core.checks import UsageError
from zoo.core.preset_files import read_weights
from zoo.core.presets import open_preset
from zoo.core.progress import verbosity
from zoo.runs import callbacks, manifest, strategies, workdir, writers
from zoo.runs.build import build, load_data
from zoo.runs.config import check_config
from zoo.runs.defaults import resolve
from zoo.runs.locks import locked_run
from zoo.runs.run import Run

LOGS = "tensorboard"


def main() -> None:
    strategy = strategies.make_strategy(STRATEGY.value)
    chief = replicas.is_chief(strategy)  # the others train, and write nothing
    config = resolve(check_config(CONFIG.value))
    if INIT.value is not None:
        with config.unlocked():
            config.init = INIT.value
    path = WORKDIR.value or str(pathlib.Path("runs") / cli.config_name())
    with strategies.watching_workers(strategy):
        finished = chief and not OVERWRITE.value and workdir.is_finished(path, config)
        (finished,) = strategies.broadcast(strategy, [np.asarray(finished, np.int32)])
    if finished:
        print(f"{path!r} holds this run, and it is finished; --overwrite begins it anew.")
        return
    data = load_data(config)
    num_images, num_tested = config.evaluation.num_images, data.num_examples["test"]
    if num_images is not None and num_images > num_tested:
        raise UsageError(f"num_images must be at most {num_tested}; it was {num_images}.")
    with strategy.scope():
        model = build(config, data)
        # Of a run that goes on the checkpoints tell all.
        begins = OVERWRITE.value or zoo.Checkpoints(checkpoints_of(path)).last is None
        preset = open_preset(INIT.value) if INIT.value is not None and begins else None
        if preset is not None:
            read_weights(preset, model)
    with locked_run(workdir.make_workdir(path)) if chief else contextlib.nullcontext():
        train(model, data, path, config, strategy, chief, preset)


def checkpoints_of(path) -> pathlib.Path:
    """The folder of a run's checkpoints."""
    return pathlib.Path(path) / workdir.CHECKPOINTS


def train(model, data, path, config, strategy, chief, preset=None) -> None:
    """Trains a model, goes on with its training, or writes what is left of a trained one."""
    with strategies.watching_workers(strategy):
        if chief:
            files = [LOGS, *writers.file_names()]
            workdir.start_run(path, config, files=files, overwrite=OVERWRITE.value)
            if preset is not None:
                manifest.note(path, init={"name": preset.name, "sha256": preset.card["sha256"]})
            manifest.note(path, command=cli.command())
        checkpoints = zoo.Checkpoints(checkpoints_of(path), config.save_freq)
        done = checkpoints.restore(model)
        if (done or checkpoints.batches_done) and chief:
            within = f", batch {checkpoints.batches_done}" if checkpoints.batches_done else ""
            print(f"{path!r} goes on after epoch {done}{within}.")
        loggers = _loggers(model, data, path, config.epochs, done) if chief else []
        started = time.monotonic()
        try:
            model.fit(
                data.train,
                epochs=config.epochs,
                initial_epoch=done,
                validation_data=data.validation,
                validation_freq=_every(config.validation_freq, config.epochs),
                callbacks=[*loggers, checkpoints],
                verbose=verbosity(chief),
            )
        finally:
            if chief:
                before = manifest.noted(path, "seconds", 0.0)  # of an interrupted training
                manifest.note(path, seconds=before + time.monotonic() - started)
    if not chief:
        return
    run = Run(path, config)
    run.model, run.data = model, data
    writers.write_files(run)
    workdir.finish_run(path)


def _every(num_epochs, last):
    """The numbers of the epochs, from 1, that are validated: the first, one in so many, the last.

    The first tells the table of metrics all of its columns.
    """
    return [1, *range(num_epochs, last, num_epochs), last]


def _loggers(model, data, path, num_epochs, done):
    """What writes metrics and pictures after the epochs that are done."""
    shown = pictures.shown(model, data.validation.take(1))
    shown = {name: values[:10] for name, values in shown.items()}
    logs = manifest.claim(path, LOGS, "events.out.*")
    loggers = [
        callbacks.MetricsTable(workdir.continue_metrics(path, done)),
        callbacks.TensorBoard(logs, write_graph=False),
    ]
    if defines(model, "sample"):
        loggers.append(callbacks.PictureLogger(logs, shown, every=max(1, num_epochs // 10)))
    return loggers


if __name__ == "__main__":
    cli.run(main)
