"""Errors of classification where few examples have a label."""

from collections.abc import Sequence

import keras
import numpy as np
from matplotlib.figure import Figure

import layers
import samplers
from zoo.analysis.classes import check_classes, labelled_images
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.checks import check_count, check_count_or_0

NEAREST, SUPERVISED = "nearest neighbour", "supervised network"


@register_figure
def error_by_num_labels(
    runs: Sequence[Run],
    *,
    hidden: int = 500,
    epochs: int = 300,
    num_samples: int = 0,
    seed: int = 0,
) -> Plot:
    """Errors of classification on test images against the number of labels in training.

    Beside each run stand, on the same labels, the nearest neighbour of pixels and a network of one
    hidden layer that learns from nothing else. Runs of a method with the same number of labels are
    repetitions: the picture has their mean. The table has each, with the difference to the
    supervised network, paired by test image, and its standard error.

    Args:
      runs: of models that classify.
      hidden: units of the supervised network.
      epochs: in which it learns from batches of 100, by Adam.
      num_samples: draws of importance sampling of p(x given y); 0 for classifiers as they are.
      seed: int, of the supervised network, and of those draws.

    Returns:
      The picture, and a table with a row for each run and each of what stands beside it.

    Raises:
      UsageError: for other models, data without labels, or an argument out of its range.
    """
    check_count(hidden=hidden, epochs=epochs)
    check_count_or_0(num_samples=num_samples)
    rows, known = [], {}
    for run in runs:
        check_classes(run, "classify")
        test = labelled_images(run)
        train = labelled_images(run, split="train")
        num_labels, options = len(train["y"]), {}
        if num_samples:
            options = {"num_samples": num_samples, "seed": seed}
        key = run.config.data.source, num_labels, run.config.seed
        if key not in known:
            known[key] = {
                NEAREST: _nearest(train, test),
                SUPERVISED: _supervised(train, test, hidden, epochs, seed),
            }
        wrong = run.model.classify(test["x"], **options)["y"] != test["y"]
        for name, errors in ({run.config.model.name: wrong} | known[key]).items():
            difference = errors.astype(float) - known[key][SUPERVISED]
            rows.append(
                (
                    *(run.label, name, num_labels, run.config.seed, float(errors.mean())),
                    *(float(difference.mean()), float(samplers.standard_error(difference))),
                )
            )
    columns = ("run", "method", "num_labels", "seed", "error", "difference", "stderr")
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row[1] for row in rows):
        counts = sorted({row[2] for row in rows if row[1] == name})
        means = [np.mean([r[4] for r in rows if r[1:3] == (name, count)]) for count in counts]
        axes.plot(counts, means, "o-", label=name)
    axes.set(xlabel="labels", ylabel="error on test images", xscale="log")
    axes.set_ylim(bottom=0)
    axes.legend()
    return Plot(figure, columns, rows)


def _flat(x):
    return x.reshape(len(x), -1)


def _nearest(train, test):
    from sklearn.neighbors import KNeighborsClassifier  # which takes a second to import

    model = KNeighborsClassifier(1).fit(_flat(train["x"]), train["y"])
    return model.predict(_flat(test["x"])) != test["y"]


def _supervised(train, test, hidden, epochs, seed):
    num_classes = int(train["y"].max()) + 1
    shape = train["x"].shape[1:]
    model = layers.mlp(shape, (hidden,), (num_classes,), activation="relu", seed=seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(train["x"], train["y"], 100, epochs, verbose=0, shuffle=False)
    return model.predict(test["x"], 1000, verbose=0).argmax(1) != test["y"]
