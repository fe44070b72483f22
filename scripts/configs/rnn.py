"""RNN-Gauss and RNN-GMM (Chung et al. 2015): the same recurrent network without latents."""

from zoo.runs.config import choose
from zoo.scripts.configs import _chung

CHOICES = _chung.CHOICES


def get_config(choice=""):
    return _chung.config(*choose(choice, CHOICES), name="RNN")
