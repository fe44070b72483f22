"""DRAW whose generator learns from latents that Hamiltonian Monte Carlo refines."""

import keras

from zoo.core.registry import register
from zoo.models.draw import DRAW, GREGOR_2015
from zoo.models.hmc_dlgm import HMCDLGM, HOFFMAN_2017


@register(
    tiny={
        **{"latent_dim": 2, "num_glimpses": 2, "units": 8, "attention": False},
        **{"num_steps": 2, "max_num_leapfrog_steps": 4},
    },
    paper=(GREGOR_2015, HOFFMAN_2017),
)
class HMCDRAW(HMCDLGM, DRAW):
    """DRAW whose generator learns from posterior samples that HMC refines.

    Posterior and bound are those of `DRAW`, and all else is as `HMCDLGM`: chains on log p(x, z) of
    the latents of all glimpses start at the posterior's draws, and the generator climbs where they
    end.

    Args:
      encoder: as `DRAW`.
      decoder: as `DRAW`.
      **kwargs: those of the chain, as `HMCDLGM`, and those of `DRAW`.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs):
        super().__init__(encoder, decoder, shear=False, **kwargs)
