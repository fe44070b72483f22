"""What every registered model does: one function for each clause, over a tiny specimen."""

import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

import samplers
import zoo
from zoo.core import registry
from zoo.core.abilities import defines
from zoo.core.batches import with_defaults
from zoo.testing import power
from zoo.testing.specimen import BATCH, Specimen, same, values

_LOG_TWO = float(np.log(2))


def round_trips_through_its_config(specimen: Specimen) -> None:
    """A copy by its config has the same config and variables of the same shapes."""
    model = specimen.reset()
    config = model.get_config()
    copy = specimen.cls.from_config(config)
    _require(copy.get_config() == config, "from_config(get_config()) must have the same config")
    shapes = [[v.shape for v in m.variables] for m in (model, copy)]
    _require(shapes[0] == shapes[1], "from_config(get_config()) must have the same variables")


def trains(specimen: Specimen) -> None:
    """The objectives fall, equal seeds give equal weights, and the step is traced once."""
    model, traces = specimen.reset(), []
    train_step = type(model).train_step
    model.train_step = lambda data: traces.append(1) or train_step(model, data)
    ends = []
    for _ in range(2):
        specimen.reset()
        history = specimen.fit(model, epochs=6).history
        ends.append(values(model))
        model.train_step = functools.partial(train_step, model)
    del model.train_step
    _require(same(*ends), "two trainings from one state must give equal weights, bit for bit")
    _require(len(traces) == 1, f"a training step must be traced once; it was {len(traces)} times")
    _require(not same(ends[0], specimen.reset() and values(model)), "training must change weights")
    for group in model.parameter_groups:
        objective = history[f"{group}_objective"]
        _require(objective[-1] < objective[0], f"the objective of {group!r} must fall in training")


def reports_what_its_methods_return(specimen: Specimen) -> None:
    """Metrics are those of `objectives` and of the diagnostics, and the loss that follows."""
    model, batch = specimen.reset(), specimen.batch
    seed = samplers.as_seed(1)
    context = model.amortise(batch, seed)
    latents, diagnostics = model.sample_latents(batch, context, seed)
    objectives, metrics = model.objectives(batch, context, latents, seed)
    _require(set(objectives) == set(model.parameter_groups), "each group must have an objective")
    names = {*metrics, *diagnostics, *(f"{group}_objective" for group in objectives)}
    names |= {"loss"} if model.selected_by[0] in names else set()
    reported = set(specimen.fit(model).history)
    _require(reported == names, f"fit must report {sorted(names)}; it was {sorted(reported)}")


def goes_on_from_files(specimen: Specimen) -> None:
    """Two epochs are one epoch, a `.keras` file or a checkpoint, and one more; bit for bit."""
    model, after_one = specimen.reset(), []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)

        def keep(epoch, logs):
            if epoch == 0:
                model.save(path / "model.keras")
                after_one.append(values(model))

        checkpoints = zoo.Checkpoints(path / "checkpoints")
        callbacks = [checkpoints, keras.callbacks.LambdaCallback(on_epoch_end=keep)]
        specimen.fit(model, epochs=2, callbacks=callbacks)
        end = values(model)
        (path / "checkpoints" / "epoch-000002.npz").unlink()  # as if it was killed before it
        loaded = keras.models.load_model(path / "model.keras")
        _require(type(loaded) is specimen.cls, "a .keras file must give back its class")
        _require(same(values(loaded), after_one[0]), "a .keras file must give back all variables")
        for variable in (loaded.trainable_variables[0], *loaded.optimizer.variables):
            variable.assign(0 * variable)
        _require(checkpoints.restore(loaded) == 1, "a checkpoint must say how many epochs are done")
        _require(same(values(loaded), after_one[0]), "a checkpoint must give back all variables")
    specimen.fit(loaded, epochs=2, initial_epoch=1)
    _require(same(values(loaded), end), "a training that goes on must end as an unbroken one")


def comes_back_from_a_preset(specimen: Specimen) -> None:
    """A preset gives back its class and its weights, but for chains of training examples."""
    model = specimen.reset()
    for variable in model.trainable_variables:
        variable.assign(variable + 0.1)
    with tempfile.TemporaryDirectory() as folder:
        for dtype, digits in (("float32", 24), ("float16", 11)):
            path = pathlib.Path(folder) / dtype
            model.save_to_preset(path, dtype=dtype)
            loaded = zoo.from_preset(path)
            _require(type(loaded) is specimen.cls, "a preset must give back its class")
            for one, other in zip(loaded.variables, model.variables, strict=True):
                one, other = one.numpy(), other.numpy()
                # Float16 rounds to so many binary digits, and below 6e-5 to a grid of 6e-8.
                near = np.allclose(one, other, rtol=2.0**-digits, atol=1e-7 * (digits < 24))
                _require(near, f"a preset in {dtype} must give back all weights")


def evaluates_without_a_trace(specimen: Specimen) -> None:
    """Two evaluations are equal, and change no variable."""
    model = specimen.reset()
    before = values(model)
    first = model.evaluate(specimen.test, batch_size=10, verbose=0, return_dict=True)
    again = model.evaluate(specimen.test, batch_size=10, verbose=0, return_dict=True)
    _require(first == again, "two evaluations must give equal metrics")
    _require(all(map(np.isfinite, first.values())), "metrics must be finite")
    name, factor = model.selected_by
    _require(first.get("loss") == factor * first[name], "the loss must be what selects models")
    # What scores need beforehand, such as log Z, is not a part of training.
    _require(same(before, values(model)), "an evaluation must change no variable")


def answers_by_seed(specimen: Specimen) -> None:
    """Shapes, ranges, equal seeds, untouched visible pixels; every argument acts."""
    model, x = specimen.reset(), specimen.x
    if not defines(model, "sample"):
        return  # what tells classes alone draws nothing
    (visible,) = zoo.data.completion_masks(model).values()
    steps = {"num_steps": 3} if model.completes_by_a_chain else {}
    for ask in (
        lambda seed: model.sample(len(x), seed, **specimen.given),
        lambda seed: model.reconstruct(x, seed),
        lambda seed: model.inpaint(x, visible, seed, **steps),
    ):
        one, two, other = ask(3), ask(3), ask(4)
        for name in ("x", "mean"):
            _require(one[name].shape == x.shape, f"{name} must be shaped like the images")
            _require(np.isfinite(one[name]).all(), f"{name} must be finite")
            _require(one["finite"].all(), "finite numbers must be said to be so")
            _require(np.array_equal(one[name], two[name]), "equal seeds must give equal answers")
        new = not np.array_equal(one["x"], other["x"])
        if defines(model, "inverse") and np.allclose(one["x"], x):
            continue  # what a flow decodes of an image is that image
        _require(new, "other seeds must give other draws")
    completed = model.inpaint(x, visible, 0, **steps)
    for value in (completed["x"], completed["mean"]):
        kept = np.array_equal(value[:, visible], x[:, visible])
        _require(kept, "visible pixels must come back as they were")
        _require(not np.array_equal(value[:, ~visible], x[:, ~visible]), "hidden ones must be new")
    if steps:
        longer = model.inpaint(x, visible, 0, num_steps=6)
        _require(not np.array_equal(longer["mean"], completed["mean"]), "num_steps must act")
    _require(model.predict(x, verbose=0).shape == x.shape, "predict must give images")


def exports_what_it_answers(specimen: Specimen) -> None:
    """Each endpoint, as it would be served, gives the answer of the model's own method."""
    model, x = specimen.reset(), tf.constant(specimen.x)
    given, asked = {"x": x}, {"sample": (7,)}
    if defines(model, "inpaint"):
        (visible,) = zoo.data.completion_masks(model).values()
        given["visible"] = tf.constant(np.broadcast_to(visible, x.shape))
        asked["inpaint"] = specimen.x, visible
    given |= {"seed": tf.constant([5, 6]), "num_samples": tf.constant(7)}
    given |= {"num_steps": tf.constant(3)}
    for name, endpoint in model.signatures().items():
        served = tf.function(endpoint.function, autograph=False)
        known = given | (specimen.given if name == "sample" else {})
        inputs = {k: known.get(k, _examples(f, len(x))) for k, f in endpoint.inputs.items()}
        inputs = {key: tf.convert_to_tensor(value) for key, value in inputs.items()}
        specs = {key: field.spec(key) for key, field in endpoint.inputs.items()}
        answer = served.get_concrete_function(**specs)(**inputs)
        seen, others = [], {}
        if "num_steps" in endpoint.inputs:
            others |= {"num_steps": 3, "on_transition": seen.append}
        others |= specimen.given if name == "sample" else {}
        arguments = asked.get(name, (specimen.x,))
        expected = getattr(model, name)(*arguments, seed=tf.constant([5, 6]), **others)
        if "num_steps" in others:
            _require(len(seen) == 4, "a chain must show its start and each of its transitions")
            near = np.allclose(seen[-1], expected["mean"], atol=1e-4)
            _require(near, "the last that a chain shows must be its answer")
            _require(not np.array_equal(seen[0], seen[-1]), "a chain that is watched must move")
        for key, value in expected.items():
            near = np.allclose(answer[key], value, rtol=1e-4, atol=1e-4, equal_nan=True)
            _require(near, f"the endpoint {name!r} must answer as the model does; {key} differs")


def _examples(field, size):
    return np.repeat(field.example(), size, axis=0) if field.batched else field.example()


def weighs_rightly(specimen: Specimen) -> None:
    """The mean of exp(log_weights) is p(x); and weights off by log 2 would be noticed."""
    model = specimen.reset()
    if not (defines(model, "likelihood") or defines(model, "filtered")):
        return  # of an exact density the weights are that
    power.make_weighable(model)
    batch = {"x": tf.constant(model.sample(4, 2, **specimen.given)["x"])}
    batch = with_defaults(batch, model.inference_fields)
    error, stderr = power.log_likelihood_error(model, batch)
    off = abs(error) / stderr
    _require(off < 5, f"the mean weight must be p(x); it is {off:.1f} standard errors off")
    _require(stderr < _LOG_TWO / 6, f"the check must have power; its error is {stderr:.2f} nats")
    wrong = abs(error + _LOG_TWO) / stderr  # which adds to the log of each weight
    _require(wrong > 5, "weights that are off by log 2 must be noticed")


def moves_its_chains(specimen: Specimen) -> None:
    """A training step's chains climb log p(x, z); and chains that never move would be noticed."""
    model, batch = specimen.reset(), specimen.batch
    rise = power.moved_uphill(model, batch)
    if rise is None:
        return  # no chain in a step
    _require(rise > 4, f"chains must raise log p(x, z); they do by {rise:.1f} standard errors")
    with power.chains_that_never_move():
        still = power.moved_uphill(model, batch)
    _require(still is None, "chains that never move must be noticed")


def takes_any_fitting_networks(specimen: Specimen) -> None:
    """A convolutional encoder and decoder instead of the paper's."""
    plain = specimen.reset()
    if not defines(plain, "decode") or len(specimen.data.shape) != 3:
        return
    height, width, channels = specimen.data.shape
    layers, size = keras.layers, plain.decoder.input_shape[-1]
    networks = {
        "decoder": keras.Sequential(
            [
                keras.Input((size,)),
                layers.Dense(height * width),
                layers.Reshape((height // 2, width // 2, 4)),
                layers.Conv2DTranspose(channels, 3, 2, "same"),
            ]
        )
    }
    if "encoder" in plain.get_config():
        networks["encoder"] = keras.Sequential(
            [
                keras.Input((height, width, channels)),
                layers.Conv2D(4, 3, 2, "same", activation="softplus"),
                layers.Flatten(),
                layers.Dense(plain.encoder.output_shape[-1]),
            ]
        )
    model = specimen.build(**networks)
    before = [v.numpy() for v in networks["decoder"].trainable_variables]
    batch = {name: tf.constant(value[:BATCH]) for name, value in specimen.train.items()}
    model.train_step(batch)  # one step, eagerly
    after = [v.numpy() for v in networks["decoder"].trainable_variables]
    _require(not same(before, after), "a user's decoder must be trained")


def joins_replicas(specimen: Specimen) -> None:
    """The next state of two replicas' statistics is that of one with the whole batch."""
    model, batch = specimen.reset(), specimen.batch
    seed, half = samplers.as_seed(1), BATCH // 2
    parts = []
    for rows in (slice(0, half), slice(half, None)):
        part = {name: value[rows] for name, value in batch.items()}
        context = model.amortise(part, seed)
        latents, diagnostics = model.sample_latents(part, context, seed)
        parts.append(model.state_statistics(part, latents, diagnostics))
    if not parts[0]:
        return  # no state of the kind
    for name in parts[0]:
        lengths = {len(part[name]) for part in parts}
        _require(lengths <= {half, 1}, f"{name} must have the batch, or one row, as its first axis")

    def joined(first, second):
        whole = {name: tf.concat([first[name], second[name]], 0) for name in first}
        return [tf.convert_to_tensor(value).numpy() for _, value in model.next_state(whole)]

    one, other = joined(*parts), joined(*parts[::-1])
    near = all(np.allclose(a, b, rtol=1e-5) for a, b in zip(one, other, strict=True))
    _require(near, "the next state must not depend on the order of the replicas")
    alone = [tf.convert_to_tensor(v).numpy() for _, v in model.next_state(parts[0])]
    shapes = [[a.shape for a in state] for state in (one, alone)]
    _require(shapes[0] == shapes[1], "the next state must have the shape of the state")


CLAUSES = (
    round_trips_through_its_config,
    trains,
    reports_what_its_methods_return,
    goes_on_from_files,
    comes_back_from_a_preset,
    evaluates_without_a_trace,
    answers_by_seed,
    exports_what_it_answers,
    weighs_rightly,
    moves_its_chains,
    takes_any_fitting_networks,
    joins_replicas,
)


@functools.lru_cache(maxsize=1)
def _specimen(cls, variant):
    return Specimen(cls, variant)


def checks(cls: type, variant: str | None = None) -> Iterator[tuple[str, Callable[[], None]]]:
    """The clauses of the contract for a model class.

    Args:
      cls: a class that `zoo.register` has registered.
      variant: the label of one of its `variants`, which differ in a part.

    Returns:
      Pairs of a name and a function without arguments, which raises AssertionError where the model
      violates the clause. They share one tiny model: run those of one class one after the other.
    """
    for clause in CLAUSES:
        yield clause.__name__, functools.partial(_checked, clause, cls, variant)


def _checked(clause, cls, variant):
    clause(_specimen(cls, variant))


def check_model(cls: type) -> None:
    """Checks a model class, and each of its variants, by all clauses of the contract.

    Args:
      cls: a class that `zoo.register` has registered.

    Raises:
      AssertionError: naming the class, the clause and what it asks for, at the first violation.
    """
    for variant in (None, *registry.methods()[cls.__name__].variants):
        for name, check in checks(cls, variant):
            try:
                check()
            except AssertionError as error:
                label = f"{cls.__name__}, {variant}" if variant else cls.__name__
                raise AssertionError(f"{label}: {name}: {error}") from None


def _require(condition: bool, sentence: str) -> None:
    # Not an assert statement, which pytest would rewrite and -O leave out.
    if not condition:
        raise AssertionError(f"{sentence}.")
