"""What models of classes and styles have learned: their styles, and how well they tell classes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo import data
from zoo.analysis.pictures import check_image_model, panels_in_a_row, show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.batches import as_batch
from zoo.core.checks import UsageError, check_count
from zoo.scores.classification import reliability
from zoo.scores.feature_networks import trained_classifier


@register_figure
def analogies(runs: Sequence[Run], *, num_styles: int = 8, seed: int = 0) -> Plot:
    """Analogies: a test image's style by column, inferred with its label; a class by row.

    As Kingma et al. (2014), figure 1b. On top are the test images.

    Args:
      runs: of models of classes of images.
      num_styles: test images, the first so many that have a label.
      seed: int, of the inference.

    Returns:
      The picture, and a table with the label of every column.

    Raises:
      UsageError: for other models, or fewer images with a label.
    """
    check_count(num_styles=num_styles)
    figure, rows = None, []
    for k, run in enumerate(runs):
        check_classes(run, "class_log_probs")
        batch = labelled_images(run, num_styles)
        num_classes = run.model.num_classes
        if figure is None:
            figure, panels = panels_in_a_row(
                len(runs), 0.6 * num_styles, 0.6 * (num_classes + 1) + 0.8
            )
        shown = [batch["x"]]
        for y in range(num_classes):
            shown.append(run.model.reconstruct(batch, seed, as_label=y)["mean"])
        show_grid(panels[k], np.stack(shown), batch["y"].tolist())
        panels[k].set(title=run.label, xlabel="label of the test image")
        rows += [(run.label, column, int(y)) for column, y in enumerate(batch["y"])]
    return Plot(figure, ("model", "column", "y"), rows)


@register_figure
def draws_by_class(
    runs: Sequence[Run],
    *,
    num_draws: int = 100,
    num_shown: int = 10,
    num_batches: int = 3000,
    seed: int = 0,
) -> Plot:
    """Draws of each class, and whether a classifier of real images takes them for that class.

    The classifier is a small convolutional network that has learned from all labels of the training
    images. Expected images of the draws are shown, and classified; a class by row.

    Args:
      runs: of models that can be sampled given a class.
      num_draws: of each class.
      num_shown: of these.
      num_batches: which the classifier learns from.
      seed: int, of the draws and of the classifier.

    Returns:
      The picture, and a table of the share of draws of each class that the classifier takes for it,
      with its own accuracy on test images.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_draws=num_draws, num_shown=num_shown)
    figure, rows = None, []
    for k, run in enumerate(runs):
        check_classes(run, "class_log_probs")
        classifier, accuracy = trained_classifier(
            _with_all_labels(run), seed, num_batches=num_batches, verbose=False
        )
        if figure is None:
            figure, panels = panels_in_a_row(
                len(runs), 0.6 * num_shown, 0.6 * run.model.num_classes + 0.8
            )
        shown = []
        for y in range(run.model.num_classes):
            drawn = run.model.sample(num_draws, seed + y, y=y)["mean"]
            told = classifier.predict(drawn, verbose=0).argmax(1)
            rows.append((run.label, y, float(np.mean(told == y)), float(accuracy)))
            shown.append(drawn[:num_shown])
        show_grid(panels[k], np.stack(shown))
        panels[k].set(title=run.label)
    return Plot(figure, ("model", "y", "agreement", "classifier_accuracy"), rows)


def _with_all_labels(run):
    """The data of a run, of which some may have been taken away."""
    options = run.config.data.to_dict()
    if not options.get("num_labels"):
        return run.data
    return data.load(**options | {"num_labels": 0}, seed=run.config.seed, verbose=False)


@register_figure
def reliability_diagram(runs: Sequence[Run], *, num_bins: int = 15, seed: int = 0) -> Plot:
    """Whether classes are as probable as models say: accuracy by probability, on test images.

    Args:
      runs: of models that classify.
      num_bins: of the probability of the class that is told.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each bin that has images.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_bins=num_bins)
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color="black")
    rows = []
    for run in runs:
        check_classes(run, "classify")
        batch = labelled_images(run)
        bins = reliability(run.model.classify(batch["x"])["probabilities"], batch["y"], num_bins)
        there = bins["count"] > 0
        axes.plot(bins["confidence"][there], bins["accuracy"][there], "o-", label=run.label)
        rows += [
            (run.label, int(count), float(confidence), float(accuracy))
            for count, confidence, accuracy in zip(*bins.values(), strict=True)
            if count
        ]
    axes.set(xlabel="probability of the class that is told", ylabel="share of right ones")
    axes.legend()
    return Plot(figure, ("model", "count", "confidence", "accuracy"), rows)


def labelled_images(
    run: Run, num_images: int | None = None, split: str = "test"
) -> dict[str, np.ndarray]:
    """The first so many images of a split that have a label, with their labels; None for all.

    Raises:
      UsageError: if there are fewer.
    """
    batches = [
        {k: v.numpy() for k, v in as_batch(batch).items()} for batch in getattr(run.data, split)
    ]
    if "y" in run.data.fields:
        kept = [{name: b[name][b["y"] >= 0] for name in ("x", "y")} for b in batches]
        found = {name: np.concatenate([b[name] for b in kept]) for name in ("x", "y")}
        if len(found["y"]) >= (num_images or 1):
            return {name: values[:num_images] for name, values in found.items()}
    raise UsageError(
        f"data of {run.label} must have {num_images or 1} {split} images with a label."
    )


def check_classes(run: Run, ability: str) -> None:
    """Refuses a run of a model that has no such ability of models of classes.

    Raises:
      UsageError: naming the run.
    """
    check_image_model(run.model)
    if not defines(run.model, ability):
        raise UsageError(f"model must be one of classes, such as zoo.M2; {run.label} is not.")
