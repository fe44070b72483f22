"""The picture of completions, and what models are asked for it."""

import numpy as np

from zoo.analysis import pictures
from zoo.data import mask


def test_picture_of_completions():
    rng = np.random.default_rng(0)
    x = rng.random((2, 8, 8, 1)).astype(np.float32)
    visible = mask("box", (8, 8, 1))
    completions = np.where(visible, x, rng.random((5, 2, 8, 8, 1)).astype(np.float32))
    rows = pictures.inpainting(x, visible, completions)
    assert rows.shape == (8, 2, 8, 8, 1)
    np.testing.assert_array_equal(rows[0], x)
    np.testing.assert_array_equal(rows[1], np.where(visible, x, 0.5))
    np.testing.assert_array_equal(rows[2:7], completions)
    np.testing.assert_allclose(rows[7] / 2, completions.std(0), rtol=1e-6)
    assert np.where(visible, rows[7], 0).max() < 1e-6
    apart = np.stack([np.zeros_like(x), np.ones_like(x)])
    assert (pictures.inpainting(x, visible, apart)[-1] == 1).all()
    assert pictures.inpainting(x, visible, completions[:1]).shape == (3, 2, 8, 8, 1)


class Recorder:
    """Stands for a model; keeps what it is asked."""

    def __init__(self):
        self.asked = []

    def inpaint(self, x, visible, seed, num_steps):
        self.asked.append((tuple(seed.numpy()), num_steps))
        return {"x": x, "mean": x}


def test_number_of_steps_is_the_models_unless_given():
    model, x = Recorder(), np.zeros((2, 8, 8, 1))
    pictures.completions(model, x, x == 0, num_completions=2)
    pictures.completions(model, x, x == 0, num_completions=2, num_steps=7)
    assert [steps for _, steps in model.asked] == [None, None, 7, 7]
    seeds = [seed for seed, _ in model.asked]
    assert seeds[:2] == seeds[2:] and seeds[0] != seeds[1]
