import keras
import numpy as np
import pytest
import tensorflow as tf

import layers


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("blocks", layers.BLOCKS)
@pytest.mark.parametrize("hierarchical", [False, True])
def test_a_call_is_a_walk(blocks, hierarchical):
    network = layers.TopDown(
        (8, 8, 1), (2, 3, 4), width=6, blocks=blocks, hierarchical=hierarchical
    )
    e, sizes = noise(2, 5, 9), []
    parts = iter(tf.split(e, (2, 3, 4), axis=-1))

    def choose(mean, stddev):
        sizes.append(mean.shape[-1])
        return mean + stddev * next(parts)

    walked = network.descend(choose)
    assert sizes == [2, 3, 4]
    assert walked.shape == (2, 5, 8, 8, 1)
    called = network(e.reshape(10, 9))
    np.testing.assert_allclose(tf.reshape(walked, called.shape), called, atol=1e-5)
    assert np.abs(called).max() < 1
    again = keras.models.clone_model(network)
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again(e.reshape(10, 9)), called)


def test_noise_enters_as_table_4_says():
    """z_l = mu_l + sigma_l e_l: no noise gives the mean, and layers below change nothing above."""
    network = layers.TopDown((8, 8, 1), (2, 3, 4), width=6)

    def walk(e):
        seen, parts = [], iter(tf.split(e, (2, 3, 4), axis=-1))

        def choose(mean, stddev):
            part = next(parts)
            seen.append((mean, stddev, mean + stddev * part))
            return seen[-1][-1]

        network.descend(choose)
        return seen

    e = noise(1, 9)
    other = e.copy()
    other[:, 2:5] += 1.0
    one, two = walk(e), walk(other)
    for a, b in zip(one[1][:2], two[1][:2], strict=True):  # the middle layer's law
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(two[1][2] - one[1][2], one[1][1], rtol=1e-5)  # moves by sigma
    assert not np.allclose(one[2][0], two[2][0])  # and so does what lies below


def test_independent_latents_have_one_prior():
    network = layers.TopDown((8, 8, 1), (2, 3), width=6, hierarchical=True)
    network.descend(
        lambda mean, stddev: (
            np.testing.assert_array_equal(mean, np.zeros_like(mean)),
            np.testing.assert_array_equal(stddev, np.ones_like(stddev)),
            mean + 0.3,
        )[-1]
    )


def test_reference_scale_is_never_below_one():
    scales = []
    for reference in (False, True):
        network = layers.TopDown((8, 8, 1), (2, 3), width=6, reference_scale=reference)
        network.descend(lambda mean, stddev: scales.append(stddev) or mean)
    assert np.min(scales[3]) >= 1 > np.min(scales[1])


@pytest.mark.parametrize("side", [8, 28, 32, 64])
def test_sizes_of_the_paper(side):
    network = layers.TopDown((side, side, 3), (2, 3), width=2, blocks="convolution")
    assert network(noise(1, 5)).shape == (1, side, side, 3)
    encoder = layers.bottom_up((side, side, 3), (2, 3), width=2, blocks="convolution")
    assert encoder(tf.zeros([1, side, side, 3])).shape == (1, 10)


def test_seed_decides_the_weights():
    one, two, other = (layers.TopDown((4, 4, 1), (2, 2), width=4, seed=s) for s in (0, 0, 1))
    for a, b, c in zip(*(n.get_weights() for n in (one, two, other)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("message", "arguments"),
    {
        "blocks must be one of": ((8, 8, 1), (2,), {"blocks": "conv"}),
        "latent_dims must be positive": ((8, 8, 1), (), {}),
        "height and width that 2 divides": ((7, 8, 1), (2,), {"blocks": "convolution"}),
        "divides; .* images of size 32x48 are": ((33, 50, 1), (2,), {"blocks": "convolution"}),
    }.items(),
)
def test_bad_arguments(message, arguments):
    shape, dims, kwargs = arguments
    with pytest.raises(ValueError, match=message):
        layers.TopDown(shape, dims, **kwargs)


@pytest.mark.parametrize("policy", ["float64", "mixed_float16"])
def test_its_policy_is_that_of_all_its_layers_and_is_kept(policy, tmp_path):
    """Whatever that of the session is, when it is made and when it is loaded."""
    network = layers.TopDown((4, 4, 1), (1, 2), width=3, dtype=policy)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    e = noise(2, 3).astype(network.variable_dtype)
    np.testing.assert_array_equal(loaded(e), network(e))
    for one in (network, loaded):
        kernels = [layer for layer in one._flatten_layers() if layer._trainable_variables]
        assert {layer.dtype_policy.name for layer in [one, *kernels]} == {policy}
