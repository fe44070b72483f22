"""How well inferred latents reconstruct images, and how often the chain that infers them moves."""

import numpy as np
import tensorflow as tf

import samplers
from zoo.scores.chunks import in_chunks, preprocessed
from zoo.scores.registry import Scoring, register_score


@register_score(
    units={
        "accept_rate": "of the model's chain",
        "reconstruction_mse": "per number of x, such as pixels in [0, 1]",
    },
    needs=("infer", "squared_error"),
)
def reconstruction_scores(scoring: Scoring) -> dict:
    """The mean acceptance probability (none without a chain) and the mean squared error."""
    model, seed = scoring.model, scoring.seed
    explained = preprocessed(model, scoring.batch, seed)

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(batch, explained, index):
        key = samplers.fold_in(seed, "report", index[0])
        z, diagnostics = model.infer(explained, 1, samplers.fold_in(key, "infer"))
        told = {k: v for k, v in diagnostics.items() if k == "accept_rate"}
        return told | {"reconstruction_mse": model.squared_error(batch, z)}

    index = np.arange(len(scoring.batch["x"]))
    batch = {k: np.asarray(v) for k, v in model.without_answers(scoring.batch).items()}
    arrays = batch, explained, index
    return {"accept_rate": None} | in_chunks(run, arrays, scoring.chunk_size, "", verbose=False)
