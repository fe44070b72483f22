"""The methods, one file each. Importing this package registers them."""

from zoo.models.abp import ABP
from zoo.models.annealed import IWAE, MHHMC, AnnealedVAE
from zoo.models.dvae import DVAE, UndirectedDVAE
from zoo.models.hmc_dlgm import HMCDLGM
from zoo.models.ladder_vae import LadderVAE
from zoo.models.short_run import ShortRun
from zoo.models.structured import StructuredPrediction, UndirectedStructuredPrediction
from zoo.models.vae import VAE

__all__ = [
    "ABP",
    "DVAE",
    "HMCDLGM",
    "IWAE",
    "MHHMC",
    "VAE",
    "AnnealedVAE",
    "LadderVAE",
    "ShortRun",
    "StructuredPrediction",
    "UndirectedDVAE",
    "UndirectedStructuredPrediction",
]
