"""Three ways to learn a decoder (Kingma and Welling 2014, figure 3): AEVB, MCEM, wake-sleep."""

from collections.abc import Sequence

import keras
import numpy as np
from matplotlib.figure import Figure

import zoo
from zoo.analysis.registry import Plot, register_figure
from zoo.core.checks import UsageError, check_count, check_counts, check_positive

METHODS = {"AEVB": "VAE", "MCEM": "MCEM", "wake-sleep": "WakeSleep"}


@register_figure
def aevb_mcem_wake_sleep(
    *,
    source: str = "digits",
    data_dir: str | None = None,
    num_train: Sequence[int] = (200, 0),
    num_seen: int = 1_000_000,
    num_points: int = 8,
    latent_dim: int = 3,
    hidden: int = 100,
    batch_size: int = 100,
    learning_rate: float = 0.05,
    num_images: int = 100,
    num_chains: int = 16,
    num_increments: int = 100,
    jit_compile: bool = True,
    seed: int = 0,
) -> Plot:
    """log p(x) against training samples seen, of AEVB, Monte Carlo EM and wake-sleep.

    As figure 3 of Kingma and Welling (2014): 3 latents, one hidden layer of 100 units, Adagrad. Log
    p(x) is estimated by annealed importance sampling from the prior, of training images (dashed)
    and of test images (full). A batch of MCEM is the whole training set, which 10 leapfrog steps
    move before every fifth update; those of the others are minibatches.

    Args:
      source: of the data, as `zoo.data.load`.
      data_dir: likewise.
      num_train: sizes of the training set, a panel each; 0 is all of it.
      num_seen: training samples, with repetition, that each method sees.
      num_points: at how many numbers of them, spread geometrically, log p(x) is estimated.
      latent_dim: number of latents.
      hidden: units of the hidden layer.
      batch_size: of AEVB and wake-sleep.
      learning_rate: of Adagrad.
      num_images: so many training and test images are scored.
      num_chains: of annealing, for each image.
      num_increments: of annealing.
      jit_compile: whether XLA compiles training steps and chains.
      seed: int.

    Returns:
      The picture, and a table with a row for each estimate.

    Raises:
      UsageError: for an argument out of its range, or fewer images than are asked for.
    """
    check_count(num_seen=num_seen, num_points=num_points, batch_size=batch_size, hidden=hidden)
    check_count(num_images=num_images, latent_dim=latent_dim)
    check_positive(learning_rate=learning_rate)
    if not isinstance(num_train, list | tuple) or not num_train:
        raise UsageError(f"num_train must be a list of whole numbers; it was {num_train!r}.")
    check_counts(num_train=[n for n in num_train if n != 0])
    data = zoo.data.load(source, data_dir=data_dir, batch_size=1, seed=seed, verbose=False)
    everything = _images(data.train)
    if max(*num_train, num_images) > len(everything):
        raise UsageError(
            f"num_train and num_images must be at most {len(everything)}; they were "
            f"{list(num_train)} and {num_images}."
        )
    test = _images(data.test)[:num_images]
    figure = Figure(figsize=(5 * len(num_train), 4), layout="constrained")
    panels, rows = figure.subplots(1, len(num_train), squeeze=False, sharey=True)[0], []
    for size, axes in zip(num_train, panels, strict=True):
        train = everything[:size] if size else everything
        scored = {"train": train[:num_images], "test": test}
        for color, (label, name) in enumerate(METHODS.items()):
            batch = len(train) if name == "MCEM" else min(batch_size, len(train))
            per_epoch = len(train) // batch * batch  # the remainder is left out
            model = zoo.get_method(name).for_data(
                train, latent_dim=latent_dim, hidden=(hidden,), activation="tanh", seed=seed
            )
            model.compile(keras.optimizers.Adagrad(learning_rate), jit_compile=jit_compile)
            curve = []
            for done, epochs in _stretches(num_seen, num_points, per_epoch):
                model.fit(
                    train,
                    batch_size=batch,
                    initial_epoch=done,
                    epochs=epochs,
                    verbose=0,
                )
                found = [
                    zoo.scores.log_likelihood(
                        model,
                        images,
                        start="prior",
                        num_chains=num_chains,
                        num_increments=num_increments,
                        seed=seed,
                        verbose=False,
                    )
                    for images in scored.values()
                ]
                curve.append((epochs * per_epoch, *(f.mean for f in found)))
                rows += [
                    (label, len(train), epochs * per_epoch, split, f.mean, f.stderr)
                    for split, f in zip(scored, found, strict=True)
                ]
            seen, on_train, on_test = np.array(curve).T
            axes.plot(seen, on_train, "--", color=f"C{color}")
            axes.plot(seen, on_test, ".-", color=f"C{color}", label=label)
        axes.set(title=f"{len(train)} training images", xlabel="training samples seen")
        axes.set_xscale("log")
    panels[0].set_ylabel("log p(x), nats per image")
    panels[0].legend()
    columns = ("method", "num_train", "seen", "split", "log_likelihood", "stderr")
    return Plot(figure, columns, rows)


def _images(pipeline):
    return np.concatenate([batch["x"].numpy() for batch in pipeline.unbatch().batch(1000)])


def _stretches(num_seen, num_points, size):
    """Pairs of epochs, done and to be done, at geometric distances from the first to the last."""
    last = max(1, round(num_seen / size))
    ends = np.unique(np.geomspace(1, last, num_points).round().astype(int))
    return list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))
