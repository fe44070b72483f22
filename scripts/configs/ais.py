"""AIS training (Ding and Freedman 2020, their T = 5)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _ding

CHOICES = _ding.CHOICES


def get_config(choice=""):
    return _ding.config(
        *choose(choice, CHOICES),
        name="AnnealedVAE",
        num_samples=5,
        num_increments=4,
        num_leapfrog_steps=5,
        last_move=True,
        max_step_size=0.3,
    )
