"""Classification by convolutions, the baseline of classification by glimpses."""

from zoo.runs.config import choose
from zoo.scripts.configs import _cluttered

CHOICES = _cluttered.CHOICES
DIGITS = {"channels": (16, 32), "kernel_size": 3, "stride": 2, "pooling": True, "hidden": (64,)}


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    made = _cluttered.config(data, preset, DIGITS, name="ConvolutionalClassifier")
    made.jit_compile = False  # XLA's convolutions take longer on a CPU
    return made
