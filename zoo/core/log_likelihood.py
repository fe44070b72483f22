"""What a user asks of a model whose log p(x) can be estimated, and the program that answers."""

import math

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.compiled import compiled_method
from zoo.core.failures import check_weights
from zoo.core.generative import uncompiled
from zoo.core.request_fields import SeedField
from zoo.core.seeds import resolved
from zoo.core.weighing import warn_of_weights


class EstimatesLogLikelihood:
    """What a model that answers requests has beside, where its `protocol` estimates log p(x)."""

    def log_likelihood(
        self, x, seed: Seed = 0, *, skip_failed: bool = False
    ) -> dict[str, np.ndarray]:
        """Estimates log p(x) of every image by the model's own `protocol`.

        That is annealed importance sampling, or importance sampling of models with discrete
        latents; `zoo.scores.log_likelihood` takes other protocols, and many images.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: int or int32[2], of the binarisation, too, where there is one.
          skip_failed: whether chains whose weights are NaN are left out, and counted.

        Returns:
          `log_likelihood` in nats, `stderr`, its Monte Carlo error over chains, the
          `effective_sample_size` of the chains' weights and the number of `failed_chains`: [B]; of
          25 chains and more also the `pareto_k` of their tail, as `samplers.pareto_shape` has it.
          A warning tells where weights are too unequal, as reports do.

        Raises:
          UsageError: for what the fields' checks refuse.
          FloatingPointError: naming the images some of whose weights are NaN, unless `skip_failed`.
        """
        batch, seed = self._batch(x), resolved(seed)
        self.prepare_for_scores(self.score_seed)
        found = uncompiled(self, "_log_likelihood")(batch, seed, skip_failed)  # its parts are
        found = {name: value.numpy() for name, value in found.items()}
        protocol = self.protocol
        check_weights(
            "log_likelihood",
            found["failed_chains"],
            protocol.num_weights,
            skip_failed=skip_failed,
            chains=protocol.weighed,
        )
        warn_of_weights(
            found["effective_sample_size"],
            found.get("pareto_k", math.nan),
            what="log_likelihood",
            num_weights=protocol.num_weights,
            kind=protocol.weighed,
            remedy=f"{protocol.remedy} of model.protocol",
        )
        return found

    def signatures(self):
        endpoint = self._endpoint("_log_likelihood", seed=SeedField())
        return super().signatures() | {"log_likelihood": endpoint}

    @compiled_method
    def _log_likelihood(self, batch, seed, skip_failed=False):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        log_weights = self.protocol.log_weights(self, observed, samplers.fold_in(seed, "anneal"))
        weights = samplers.weight_summary(log_weights)
        told = {
            "log_likelihood": weights.log_mean,
            "stderr": weights.stderr,
            "effective_sample_size": weights.effective_sample_size,
        }
        if self.protocol.num_weights >= samplers.FEWEST_FOR_A_TAIL:
            told["pareto_k"] = weights.pareto_k
        counts = skip_failed | (weights.num_failed == 0)
        dtype = batch["x"].dtype
        told = {k: tf.cast(tf.where(counts, v, math.nan), dtype) for k, v in told.items()}
        return told | {"failed_chains": weights.num_failed}
