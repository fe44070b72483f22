"""DCGAN's generator: sizes, channels, and images that do not look at each other."""

import numpy as np
import pytest

import layers


@pytest.mark.parametrize(
    ("shape", "base"),
    [((8, 8, 1), 4), ((28, 28, 1), 7), ((32, 32, 3), 4), ((64, 64, 3), 4), ((48, 48, 1), 6)],
)
def test_maps_are_doubled_until_they_have_the_size(shape, base):
    network = layers.dcgan_generator(shape, 5, width=2)
    maps = [layer.output.shape[1:] for layer in network.layers if "conv" in layer.name]
    doublings = len(maps)
    assert maps[-1] == shape and base * 2**doublings == shape[0]
    # Channels are halved from map to map, down to the width.
    assert [m[-1] for m in maps[:-1]] == [2 * 2**k for k in reversed(range(doublings - 1))]
    images = network(np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)).numpy()
    assert images.shape == (3, *shape) and np.abs(images).max() < 1


@pytest.mark.parametrize("normalisation", [True, False])
def test_each_image_is_made_by_itself(normalisation):
    network = layers.dcgan_generator((8, 8, 1), 5, width=4, normalisation=normalisation, seed=3)
    z = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
    np.testing.assert_allclose(network(z)[:1], network(z[:1]), atol=1e-6)
    again = layers.dcgan_generator((8, 8, 1), 5, width=4, normalisation=normalisation, seed=3)
    np.testing.assert_array_equal(network(z), again(z))


@pytest.mark.parametrize("shape", [(9, 8, 1), (4, 4, 1), (36, 36, 1), (8, 8)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(ValueError, match="of 4 to 7 that are doubled .* 8, 28, 32 and 64"):
        layers.dcgan_generator(shape, 5)
