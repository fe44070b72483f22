"""Every method in double precision, and with networks in half precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layers
import samplers
import zoo
from zoo.core import registry
from zoo.core.abilities import defines
from zoo.testing.specimen import Specimen

SPECIMENS = {
    name if variant is None else f"{name}, {variant}": (method.cls, variant)
    for name, method in registry.methods().items()
    for variant in (None, *method.variants)
}


# The others have the same parts.
DEFAULT = ("HMCDLGM", "DVAE, undirected")
CASES = [
    pytest.param(name, "float64", marks=[pytest.mark.slow] * (name not in DEFAULT))
    for name in SPECIMENS
] + [
    ("ShortRun", "mixed_bfloat16"),
    pytest.param("DVAE, undirected", "mixed_bfloat16", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "policy"), CASES)
def test_densities_and_answers_are_in_the_type_of_the_weights(name, policy):
    """A float64 step and a float32 step agree; half precision stays in the networks."""
    specimen = Specimen(*SPECIMENS[name])
    dtype = "float64" if policy == "float64" else "float32"
    x, seed = {k: v[:4] for k, v in specimen.train.items()}, tf.constant([1, 2])
    faster = {"num_inference_steps": 3} if name == "ABP" else {}
    single, model = specimen.build(**faster), specimen.build(dtype=policy, **faster)
    for there, here in zip(single.variables, model.variables, strict=True):
        here.assign(tf.cast(there, here.dtype))
    batch = {k: tf.constant(v) for k, v in x.items()}
    expected = density(single, batch, seed)
    batch["x"] = tf.cast(batch["x"], dtype)
    found = density(model, batch, seed)
    logs = tf.function(model.train_step, autograph=False)(batch)
    if defines(model, "sample"):
        answers = model.sample(1, **specimen.given) | model.reconstruct(x)
    else:
        answers = model.classify(x)
        del answers["y"]
    kinds = {tf.as_dtype(v.dtype).name for v in model.variables} - {"int64"}
    assert kinds == {dtype}
    told = {tf.as_dtype(value.dtype).name for value in (found, *answers.values())}
    assert told == {dtype, "bool"}, "with `finite`"
    assert all(map(np.isfinite, logs.values()))
    rtol = 1e-4 if policy == "float64" else 0.05
    np.testing.assert_allclose(found, expected, rtol=rtol)
    network = model.decoder if "decoder" in model.get_config() else model.network
    computed = {layer.compute_dtype for layer in network._flatten_layers()}
    assert policy.removeprefix("mixed_") in computed


def density(model, batch, seed):
    """A log density that the networks of a model give, of pixels or of classes."""
    for name in ("log_prob", "class_log_probs"):
        if defines(model, name) and not defines(model, "decode"):
            return getattr(model, name)(batch)
    of_steps = defines(model, "unroll")
    steps = [model.max_length] if of_steps else []
    z = tf.cast(samplers.uniform([2, 4, *steps, model.latent_dim], seed), model.dtype)
    return model.log_joint(batch, z) if of_steps else model.log_prob_where(batch, z, True)


def test_the_types_of_keras_are_taken():
    before, data = keras.config.dtype_policy(), zoo.data.load("digits", verbose=False)
    try:
        keras.config.set_dtype_policy("float64")
        model = zoo.VAE.for_data(data, latent_dim=2, hidden=(4,))
    finally:
        keras.config.set_dtype_policy(before)
    assert {v.dtype for v in model.trainable_variables} == {"float64"} == {model.dtype}
    assert zoo.VAE.from_config(model.get_config()).dtype == "float64"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "double", 64])
def test_other_types_are_refused(dtype):
    data = zoo.data.load("digits", verbose=False)
    with pytest.raises(zoo.UsageError, match="dtype must be 'float32', 'float64', 'mixed_float16'"):
        zoo.VAE.for_data(data, latent_dim=2, hidden=(4,), dtype=dtype)


def test_a_part_of_another_type_is_refused():
    data = zoo.data.load("digits", verbose=False)
    likelihood = zoo.likelihoods.Gaussian(dtype="float64")
    with pytest.raises(zoo.UsageError, match="likelihood must be of the model's dtype, float32"):
        zoo.VAE.for_data(data, latent_dim=2, hidden=(4,), likelihood=likelihood)


@pytest.mark.parametrize("optimizer", ["adam", {"elbo": "sgd"}, keras.optimizers.SGD(1.0)])
def test_gradients_in_half_precision_are_scaled(optimizer):
    """As Keras does it; a float16 gradient of a small objective would be 0."""
    data = zoo.data.load("digits", batch_size=20, verbose=False)
    model = zoo.VAE.for_data(data, latent_dim=2, hidden=(4,), dtype="mixed_float16")
    model.compile(optimizer, jit_compile=False)
    scaled = getattr(model.optimizer, "by_group", {"elbo": model.optimizer})["elbo"]
    assert type(scaled) is keras.optimizers.LossScaleOptimizer
    before = model.decoder.get_weights()
    model.fit(data.train.take(3), verbose=0)
    assert np.isfinite(model.decoder.get_weights()[0]).all()
    assert not np.array_equal(model.decoder.get_weights()[0], before[0])


@pytest.mark.parametrize("optimizer", ["adam", {"elbo": "adam"}])
def test_a_file_does_not_change_by_the_policy_it_is_read_under(optimizer, tmp_path):
    """Of which Keras makes the networks anew, though not their layers."""
    data = zoo.data.load("digits", verbose=False)
    model = zoo.VAE.for_data(data, latent_dim=2, hidden=(4,))
    model.compile(optimizer, jit_compile=False)
    model.optimizer.variables[-1].assign(model.optimizer.variables[-1] + 3)
    model.save(tmp_path / "model.keras")
    with layers.made_by(keras.DTypePolicy("mixed_float16")):
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is type(model.optimizer)
    for one, other in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
