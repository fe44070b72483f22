"""Glow, a flow-based model of images (Kingma and Dhariwal 2018)."""

from typing import Self

import keras

import layers
import samplers
from zoo.core.checks import UsageError, check_choice, check_count, check_flag, check_seed
from zoo.core.dtypes import density_dtype, networks_of
from zoo.core.fields import PixelField
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.exact_density import ExactDensityModel


@register(
    tiny={"num_scales": 1, "depth": 1, "width": 8},
    paper=Paper(
        authors=("Kingma, Diederik P.", "Dhariwal, Prafulla"),
        title="Glow: Generative Flow with Invertible 1x1 Convolutions",
        year=2018,
        venue="Advances in Neural Information Processing Systems 31",
    ),
)
class Glow(ExactDensityModel):
    """Glow: images are an invertible network of noise, and maximum likelihood trains it.

    u = f^-1(z), z ~ N(0, I), with `layers.GlowNetwork` as f: actnorm, invertible 1x1 convolutions
    and couplings in several scales (Kingma and Dhariwal 2018). The actnorms are set by the first
    batch of the first `fit`, once (section 3.1): not of a model that goes on, or is loaded.

    Completions are draws of the exact density given the visible pixels' levels, by Hamiltonian
    Monte Carlo over the pixels.

    Args:
      network: a `layers.GlowNetwork`.
      levels: grey levels that a pixel can have.
      **kwargs: `seed`, of training and of default draws.

    Raises:
      UsageError: for another network, or a value out of its range.
    """

    def __init__(self, network: layers.GlowNetwork, *, levels: int = 256, **kwargs):
        shape = tuple(network.event_shape) if hasattr(network, "is_started") else ()
        if not shape:
            raise UsageError(
                f"network must be a layers.GlowNetwork; it was a {type(network).__name__}."
            )
        dtype = density_dtype(kwargs.pop("dtype", None))
        fields = {"x": PixelField(shape, dtype)}
        super().__init__(fields=fields, levels=levels, dtype=dtype, **kwargs)
        if network.compute_dtype != dtype:
            raise UsageError(
                f"network must be of the model's dtype, {dtype}, as a flow is not computed in half "
                f"precision; it is {network.compute_dtype}."
            )
        self.network = network
        self.built = True

    @classmethod
    def for_data(
        cls,
        data,
        *,
        num_scales: int = 2,
        depth: int = 8,
        width: int = 64,
        coupling: str = "affine",
        learn_top: bool = False,
        levels: int | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model for `data`.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          num_scales: L; each halves height and width.
          depth: K, steps in each scale.
          width: hidden channels of the couplings.
          coupling: "affine" or "additive".
          learn_top: whether mean and deviation of the last scale are learned.
          levels: grey levels that a pixel can have; None for those of the data.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: for a value out of its range, or images that cannot be halved so often.
        """
        data = as_data(data)
        check_count(num_scales=num_scales, depth=depth, width=width)
        check_choice("coupling", coupling, layers.COUPLINGS)
        check_flag(learn_top=learn_top)
        check_seed(seed=seed)
        side = 2**num_scales
        if len(data.shape) != 3 or any(n % side for n in data.shape[:2]):
            raise UsageError(
                f"num_scales must halve height and width of images [H, W, C] without rest; it was "
                f"{num_scales}, and images are {list(data.shape)}."
            )
        with networks_of(dtype):
            network = layers.GlowNetwork(
                data.shape,
                num_scales=num_scales,
                depth=depth,
                width=width,
                coupling=coupling,
                learn_top=learn_top,
                seed=seed,
            )
        levels = data.levels if levels is None else levels
        return cls(network, levels=levels, seed=seed, dtype=dtype, **kwargs)

    def transform(self, u):
        return self.network(u - 0.5)

    def inverse(self, z):
        return self.network.inverse(z) + 0.5

    @property
    def needs_start(self):
        return not (int(self.network.is_started.numpy()) or int(self.training_step.numpy()))

    def start_on(self, batch):
        observed = self.preprocess(batch, samplers.fold_in(self.seed, "start"))
        with layers.started_from_data():
            self.transform(observed["x"])
        self.network.is_started.assign(1)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return super().get_config() | {"network": network}
