"""What is special to the HMC-DLGM: who learns from which sample, and how the chain is tuned."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo


class OneObjective(zoo.HMCDLGM):
    """Descends one of its two objectives; the other is constant."""

    kept = None

    def objectives(self, batch, context, latents, seed):
        objectives, metrics = super().objectives(batch, context, latents, seed)
        return {k: v if k == self.kept else 0.0 * v for k, v in objectives.items()}, metrics


@pytest.mark.parametrize("kept", ["inference", "generation"])
def test_each_objective_moves_its_own_variables(kept, digits, images):
    model = OneObjective.for_data(digits, latent_dim=4, hidden=(16,), num_steps=2)
    model.kept = kept
    model.compile("sgd", jit_compile=False)
    before = {k: [v.numpy() for v in vs] for k, vs in model.parameter_groups.items()}
    model.fit(images, batch_size=50, verbose=0)
    for group, variables in model.parameter_groups.items():
        moved = [not np.array_equal(a, b) for a, b in zip(before[group], variables, strict=True)]
        assert all(moved) if group == kept else not any(moved)


def test_groups_are_those_of_the_paper(digits):
    model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,))
    groups = {k: {v.path for v in vs} for k, vs in model.parameter_groups.items()}
    assert groups["generation"] == {v.path for v in model.decoder.trainable_variables}
    assert groups["inference"] >= {v.path for v in model.shear.trainable_variables}


@pytest.mark.parametrize(
    ("worst", "expected"), [(0.24, 0.1 * 0.98), (0.26, 0.1 * 1.02)], ids=["shrinks", "grows"]
)
def test_step_size_follows_the_worst_example(digits, worst, expected):
    model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,))
    accept_rate = tf.constant([0.99, worst, 0.9])
    ((variable, value),) = model.next_state({"accept_rate": accept_rate})
    assert variable is model.step_size
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_step_size_stays_in_bounds(digits):
    model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,), step_size=1.0)
    ((_, value),) = model.next_state({"accept_rate": tf.ones([3])})
    assert value == 1.0


@pytest.mark.parametrize(("step_size", "steps"), [(1.0, 2), (0.5, 3), (0.1, 15), (0.01, 25)])
def test_number_of_leapfrog_steps(digits, step_size, steps):
    model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,), step_size=step_size)
    assert model.num_leapfrog_steps == steps


def test_step_size_adapts_while_training(digits, images):
    model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,), num_steps=2)
    model.compile("adam", jit_compile=False)
    model.fit(digits.train.take(3), verbose=0)
    np.testing.assert_allclose(model.step_size, 0.1 * 1.02**3, rtol=1e-5)
    frozen = model.step_size.numpy()
    model.evaluate(images, verbose=0)
    model.reconstruct(images)
    assert model.step_size == frozen


def test_refined_samples_explain_more(digits, images):
    """The chain climbs: log p(x, z) at z_M lies above that at z_0 for a wrong encoder."""
    model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,), num_steps=20)
    model.compile(keras.optimizers.Adam(3e-3))
    x = tf.cast(images > 0.5, tf.float32)
    model.fit(digits.train, epochs=5, verbose=0)
    posterior, z = model._draw(x, 50, 0)
    z = z + 1.5
    refined = model.refine(x, posterior, z, 1).state
    gain = model.log_joint(x, refined) - model.log_joint(x, z)
    assert np.mean(gain) > 1


def test_regularisers_count_once(digits, images):
    """A Keras regulariser of the decoder is descended with the decoder's own objective."""

    def decoder(factor):
        penalty = keras.regularizers.L2(factor)
        dense = keras.layers.Dense(
            64, kernel_initializer=keras.initializers.GlorotUniform(0), kernel_regularizer=penalty
        )
        return keras.Sequential([keras.Input((4,)), dense, keras.layers.Reshape((8, 8, 1))])

    after = []
    for factor in (0.0, 0.5):
        model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,), decoder=decoder(factor))
        before = model.decoder.get_weights()[0]
        model.compile(keras.optimizers.SGD(0.01), jit_compile=False)
        model.fit(images, batch_size=50, verbose=0)
        after.append(model.decoder.get_weights()[0])
    np.testing.assert_allclose(after[1] - after[0], -0.01 * 2 * 0.5 * before, atol=1e-6)


@pytest.mark.parametrize("causes", [(), ("accept_rate", "energy_error")])
@pytest.mark.parametrize("method", [zoo.HMCDLGM, zoo.AnnealedVAE])
def test_chains_that_are_stuck_or_diverge_are_told_once(method, causes, digits, images, caplog):
    size = 50.0 if causes else 0.001
    sizes = {"step_size": size, "min_step_size": size, "max_step_size": size}
    model = method.for_data(digits, **method.tiny | sizes)
    model.compile(jit_compile=False)
    with caplog.at_level("WARNING", "absl"):
        model.fit(images, batch_size=50, epochs=3, verbose=0)
    told = [r.getMessage() for r in caplog.records if "give smaller step sizes" in r.getMessage()]
    assert len(told) == len(causes)
    for cause, message in zip(causes, told, strict=True):
        assert message.startswith(f"epoch 2: {cause} is ")


def test_divergence_ends_the_fit(digits, images):
    model = zoo.HMCDLGM.for_data(digits, latent_dim=4, hidden=(16,), num_steps=1)
    model.compile(keras.optimizers.SGD(1e30), jit_compile=False)
    with pytest.raises(FloatingPointError, match="training diverged in epoch 1"):
        model.fit(images, batch_size=10, epochs=3, verbose=0)
