"""The methods, one file each. Importing this package registers them."""

from zoo.models.annealed import IWAE, MHHMC, AnnealedVAE
from zoo.models.hmc_dlgm import HMCDLGM
from zoo.models.vae import VAE

__all__ = ["HMCDLGM", "IWAE", "MHHMC", "VAE", "AnnealedVAE"]
