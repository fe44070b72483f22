"""The claim of Hoffman (2017) on real digits: refined samples make a better decoder."""

import keras
import numpy as np
import pytest

import zoo


@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [2, 5])
def test_hmc_dlgm_beats_the_vae(num_steps, digits):
    scores = []
    for method, kwargs in ((zoo.HMCDLGM, {"num_steps": num_steps}), (zoo.VAE, {})):
        model = method.for_data(digits, latent_dim=16, **kwargs)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit(digits.train, epochs=100, verbose=0)
        scores.append(zoo.scores.log_likelihood(model, digits.test, verbose=False).per_image)
    gain = scores[0] - scores[1]
    assert gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert gain.mean() > 0.4
