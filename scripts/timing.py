"""What `scripts/benchmark.py` times, each as a function without arguments, and how it does it."""

import functools
import pathlib
import re
import time

import numpy as np
import tensorflow as tf

import samplers
import zoo
from samplers.density import value_and_gradient
from zoo.core.checks import UsageError
from zoo.core.fields import PixelField
from zoo.parts.step_size_search import StepSizeSearch


def whole_numbers(**given: list[str]) -> list[int]:
    """Reads the one list of numbers that is given by its name.

    Raises:
      UsageError: for others than positive whole numbers.
    """
    ((name, values),) = given.items()
    if not all(value.isdigit() and int(value) for value in values):
        raise UsageError(f"{name} must be positive whole numbers; they were {values}.")
    return list(map(int, values))


def compiled_as(model):
    """Returns the decorator that compiles a function as the model is compiled."""
    return functools.partial(tf.function, jit_compile=model.compile_chains, autograph=False)


def grey(shape, batch_size):
    """Data of one grey image, in which models are built."""
    train = tf.data.Dataset.from_tensors({"x": tf.fill([1, *shape], 0.5)})
    return zoo.data.Data(train, None, None, {"x": PixelField(shape)}, {"train": batch_size})


def train_step(model, batch):
    """What one batch costs in `fit`."""
    step = compiled_as(model)(model.train_step)
    return lambda: step(batch)


STEPS = 10  # of one call


def train_steps(model, batch):
    """So many training steps in one call, as `fit` makes them with `steps_per_execution`."""
    model.steps_per_execution = STEPS
    data = tf.data.Dataset.from_tensors(batch).repeat(STEPS)
    model.fit(data, verbose=0)  # which makes the function
    batches = iter(data.repeat())
    return lambda: model.train_function(batches)


def fit_of(model, batch, epochs=4, batches=25):
    """A `fit`, its pipeline included."""
    x = np.tile(batch["x"], [batches, *[1] * (len(batch["x"].shape) - 1)])
    return lambda: model.fit(x, batch_size=len(batch["x"]), epochs=epochs, verbose=0).history


def chain_of(model, batch, context):
    """The chains alone, from the encoder's draws, with all that they tell."""
    chain = compiled_as(model)(lambda seed: model.sample_latents(batch, context, seed))
    return lambda: chain(samplers.as_seed(0))


def langevin_of(model, batch, z):
    """The chain of a `ShortRun`, its noise included."""
    chain = compiled_as(model)(lambda seed: model.langevin(batch, z, model.num_steps, seed))
    return lambda: chain(samplers.as_seed(0))


def floor_of(model, batch, z, num_gradients):
    """As many gradients of log p(x, z) as the chains take, and nothing else."""

    @compiled_as(model)
    def floor(num_gradients):
        def step(i, z):
            _, gradient = value_and_gradient(lambda z: model.log_joint(batch, z), z)
            return i + 1, z + 1e-3 * gradient

        return tf.while_loop(lambda i, _: i < num_gradients, step, (0, z))[1]

    return lambda: floor(tf.constant(num_gradients))


def passes_of(model, batch, z):
    """The gradients of log p(x, z) for the decoder, of the one-sample bound for an encoder."""
    groups = model.parameter_groups
    objectives = {
        "generation": lambda: model.log_joint(batch, z),
        "inference": lambda: model.log_weights(batch, 1, 0),
    }

    @compiled_as(model)
    def passes():
        with tf.GradientTape(persistent=True) as tape:
            means = {group: tf.reduce_mean(objectives[group]()) for group in groups}
        return [tape.gradient(means[group], variables) for group, variables in groups.items()]

    return passes


def update_of(model, batch, **search):
    """What one search for the step size of a `ShortRun` costs."""
    search, step_size = StepSizeSearch(**search), tf.convert_to_tensor(model.step_size)
    update = compiled_as(model)(lambda seed: search.statistics(model, batch, step_size, seed))
    return lambda: update(samplers.as_seed(0))


def lanczos_errors(model, batch):
    """Mean errors of Lanczos' objective by step size, and where a Gaussian's chain diverges."""
    search = StepSizeSearch()
    batch = {name: value[: search.num_images] for name, value in batch.items()}

    @compiled_as(model)
    def objectives(log_det):
        search = StepSizeSearch(log_det=log_det)
        sizes = tf.constant(search.grid, tf.float32)
        return tf.map_fn(lambda size: search.objective(model, batch, size, 0), sizes)

    @compiled_as(model)
    def hessians():
        z, _ = model.infer(batch, 1, 0)
        return samplers.hessian(lambda z: model.log_joint(batch, z), z)

    errors = np.abs(objectives("lanczos") - objectives("exact")).mean(1)
    # A chain of step size s diverges in N(0, 1 / c) for s > 2 / sqrt(c).
    edge = 2 / np.linalg.eigvalsh(-hessians().numpy().astype(float)).max() ** 0.5
    return dict(zip(search.grid, errors, strict=True)), edge


def gibbs_of(model, rbm, z1, num_sweeps):
    """So many sweeps of block Gibbs sampling from z1, [S, ..., n1]."""
    sweeps = compiled_as(model)(
        lambda seed: samplers.gibbs(rbm, z1, num_sweeps=num_sweeps, seed=seed)
    )
    return lambda: sweeps(samplers.as_seed(0))


def products_of(model, rbm, z1, num_sweeps):
    """As many matrix products as `gibbs_of`, each of the one before."""

    @compiled_as(model)
    def products(z1):
        def sweep(i, z1):
            return i + 1, 1e-3 * rbm.logits1(rbm.logits2(z1))

        return tf.while_loop(lambda i, _: i < num_sweeps, sweep, (0, z1))[1]

    return lambda: products(z1)


def numbers_of(model, rbm, z1, num_sweeps):
    """As many uniform numbers as `gibbs_of`, added up."""

    @compiled_as(model)
    def numbers(seed):
        shape = [*z1.shape[:-1], z1.shape[-1] + rbm.bias2.shape[-1]]

        def sweep(i, total):
            return i + 1, total + samplers.fast_uniform(shape, samplers.fold_in(seed, i))

        return tf.while_loop(lambda i, _: i < num_sweeps, sweep, (0, tf.zeros(shape)))[1]

    return lambda: numbers(samplers.as_seed(0))


def compare(title, first, second, num_pairs, clock=time.perf_counter):
    """Prints the quotient of both times, turn and turn about, after one call of each to compile.

    Each is a function, or a list of functions that are called one after the other.
    """
    first, second = ([f] if callable(f) else f for f in (first, second))
    for function in dict.fromkeys([*first, *second]):
        function()
    times = np.array([[seconds(f, clock) for f in (first, second)] for _ in range(num_pairs)])
    low, median, high = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])
    milliseconds = 1e3 * np.median(times, axis=0)
    print(
        f"{title:<30} {median:.3f}  (quartiles {low:.3f} to {high:.3f}; "
        f"medians {milliseconds[0]:.1f} and {milliseconds[1]:.1f} ms)",
        flush=True,
    )


def seconds(functions, clock):
    start = clock()
    for function in functions:
        tf.nest.map_structure(np.asarray, function())
    return clock() - start


def peak_memory():
    """Of this process, in MiB, as Linux tells it: in `ru_maxrss` a child starts at its parent's."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
