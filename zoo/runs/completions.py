"""Samples and completions that are asked of a run's model, with their pictures."""

import contextlib
import pathlib
import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from zoo import data
from zoo.analysis import pictures
from zoo.core.checks import UsageError, check_count
from zoo.core.choices import is_own_file
from zoo.core.seeds import new_seed
from zoo.data.masks import hidden_mse, within
from zoo.data.pictures import check_sizes, own_image, own_preparation
from zoo.runs.run import Run
from zoo.runs.writers import write_arrays, write_picture, write_sounds


def write_samples(run: Run, num_samples: int, seed: int | None, **given) -> None:
    """Writes samples.png and samples.npz; a conditional model completes the first test image.

    Of waveforms whose rate is known it also writes samples.wav, all draws with pauses between.

    Args:
      run: with a fitted model.
      num_samples: of the draws.
      seed: of the draws; None takes a new one. It is printed.
      **given: what else `model.sample` is conditional on, such as the class `y`.
    """
    check_count(num_samples=num_samples)
    seed = _told_seed(seed)
    x = pictures.shown(run.model, run.data.test, 1) if run.model.sample_fields else None
    with _told_warnings():
        draws = pictures.samples(run.model, x, num_samples, seed, **given)
    write_arrays(run, "samples.npz", draws)
    write_picture(run, "samples.png", pictures.square(pictures.drawn(run.model, draws)))
    # Data are read only for what the model does not know.
    if "length" in run.model.fields and (rate := run.data.fields["x"].rate):
        length = given.get("length", draws["x"].shape[1])
        write_sounds(run, "samples.wav", draws["x"][:, :length], rate)


def write_inpainting(
    run: Run,
    *,
    masks: Sequence[str] | None,
    coverage: float | None,
    num_images: int,
    num_completions: int,
    num_steps: int | None,
    num_chains: int,
    seed: int | None,
    images: Sequence[str] = (),
) -> None:
    """Writes inpainting_MASK.png and inpainting_MASK.npz for each mask, and prints its errors.

    Args:
      run: with a fitted model.
      masks: names or files, as `zoo.data.completion_masks` takes them.
      coverage: the share of the pixels hidden; None is each mask's own.
      num_images: the first so many test images are completed; all, where there are fewer.
      num_completions: of each image.
      num_steps: transitions of each chain; None is the model's own number.
      num_chains: chains of each completion, by which it is seen whether they agree.
      seed: of the chains and of the random masks; None takes a new one. It is printed.
      images: paths of pictures that are completed instead of test images.

    Raises:
      UsageError: before anything is computed, for arguments that are out of bounds, or a coverage
        so small that a mask hides nothing.
    """
    check_count(num_images=num_images, num_completions=num_completions, num_chains=num_chains)
    if num_steps is not None:
        check_count(num_steps=num_steps)
    seed = _told_seed(seed)
    field, prepare = run.model.fields["x"], None
    shape = field.shape
    files = {pathlib.Path(name).stem: name for name in masks or () if is_own_file(name)}
    if images or files:
        prepare = own_preparation(shape, run.config.data)
    if images:
        batch = {"x": np.stack([own_image(path, prepare) for path in images])}
        check_sizes(list(files.values()), shape, images)
    else:
        number = min(num_images, run.data.num_examples["test"])
        batch = pictures.shown(run.model, run.data.test, number)
    # Of one picture results have its name, so that those of the next do not take their place.
    of = f"{pathlib.Path(images[0]).stem}_" if len(images) == 1 else ""
    shown = data.completion_masks(
        run.model, masks, seed, coverage, prepare=prepare, length=batch.get("length")
    )
    for name, visible in shown.items():
        if visible.all():
            if name in files:
                raise UsageError(
                    f"mask: {files[name]!r} must hide something: black is completed, white is "
                    "visible."
                )
            raise UsageError(f"coverage must be larger: the mask {name!r} hides no pixel.")
    x, there = batch["x"], within(batch)
    unit = ", pixels in [0, 1]" if field.pictured == "mean" else ""
    steps = "the model's own number of" if num_steps is None else num_steps
    transitions = f", {steps} transitions each" if run.model.completes_by_a_chain else ""
    print(f"{num_completions} completions of {len(x)} images{transitions}")
    if num_chains == 1 and run.model.completes_by_a_chain:
        print("whether chains have mixed is not known of one; --num_chains=2 and more tell it")
    for name, visible in shown.items():
        with _told_warnings():
            drawn = pictures.completions(
                *(run.model, batch, visible, seed, num_completions, num_steps, num_chains),
                verbose=True,
            )
        counted = visible | ~there  # not what stands behind the end of a sequence
        arrays = batch | {
            "visible": visible,
            "completions": drawn["x"],
            "means": drawn["mean"],
            "hidden_mse": hidden_mse(x, drawn["mean"], counted),
            "hidden_mse_of_mean": hidden_mse(x, drawn["mean"].mean(0), counted),
        }
        arrays |= {name: drawn[name] for name in ("r_hat",) if name in drawn}
        print(
            f"{name}: {1 - counted[there].mean():.1%} hidden; mean squared error there{unit}: "
            f"{arrays['hidden_mse_of_mean'].mean():#.4g} of the completions' mean, "
            f"{arrays['hidden_mse'].mean():#.4g} of a single one"
        )
        write_arrays(run, f"inpainting_{of}{name}.npz", arrays)
        picture, names = pictures.inpainting(field, x, visible, drawn)
        write_picture(run, f"inpainting_{of}{name}.png", picture, names)
        if images:
            write_picture(run, f"completed_{of}{name}.png", drawn["mean"].mean(0)[None])


def _told_seed(seed):
    seed = new_seed() if seed is None else seed
    print(f"seed {seed}", flush=True)
    return seed


@contextlib.contextmanager
def _told_warnings() -> Iterator[None]:
    """A context whose warnings are printed as sentences, each once, without lines of code."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        yield
    for sentence in dict.fromkeys(str(w.message) for w in found if w.category is UserWarning):
        print(f"warning: {sentence}")
