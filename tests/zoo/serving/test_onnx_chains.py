"""Completions of a trained model in ONNX: the model's own, as long as rounding lets chains agree.

Last bits grow along a chain, and where it accepts here and rejects there, it goes its own way to
the same law: after many steps the images agree on average.
"""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.serving import endpoints, onnx_export

pytest.importorskip("tf2onnx", reason="needs pip install 'mcmc-zoo[onnx]'")


@pytest.mark.slow
def test_a_preset_completes_as_here(tmp_path):
    model = zoo.from_preset("hmc_dlgm_digits")
    endpoint = endpoints.all_endpoints(model)["inpaint"]
    onnx_export.write(endpoint, tmp_path / "inpaint.onnx")
    function, session = (
        endpoints.plain_function(endpoint),
        onnx_export.session(tmp_path / "inpaint.onnx"),
    )
    x = next(iter(zoo.data.load("digits", batch_size=200, verbose=False).test))["x"].numpy()
    mask = zoo.data.mask("left", x.shape[1:])

    def difference(num_steps):
        asked = {"x": x, "visible": np.repeat(mask[None], len(x), 0)}
        asked |= {"seed": np.array([6, 7], "int32"), "num_steps": np.array(num_steps, "int32")}
        asked = {name: asked[name] for name in endpoint.inputs}
        here = function(*map(tf.constant, asked.values()))
        [there] = session.run(["mean"], asked)
        return (there - here["mean"].numpy())[:, ~mask]  # [images, hidden pixels]

    of_images = np.abs(difference(3)).max(-1)
    assert (of_images < 1e-5).mean() > 0.9 and of_images.max() < 1e-3
    of_images = difference(100).mean(-1)
    assert abs(of_images.mean()) < 4 * of_images.std(ddof=1) / len(x) ** 0.5
    assert np.abs(of_images).max() > 1e-5  # so that the line above is asked something
