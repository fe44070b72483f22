"""What flags and configs may name: plain names, known before TensorFlow is loaded.

The modules that do what is named have tables of the same names.
"""

BLOCKS = ("dense", "convolution")
EXPORT_FORMATS = ("saved_model", "onnx", "litert")
LATENTS = ("prior", "fitted")
MASKS = ("left", "right", "top", "bottom", "box", "random", "pattern")
SEQUENCE_MASKS = ("rest",)
SCHEDULES = ("linear", "sigmoid")
STARTS = ("prior", "posterior")
STRATEGIES = ("none", "mirrored", "multi_worker")

# Protocols by name, as arguments of `Annealing`: all but where chains start, which is the model's
# affair. "paper" is that of Ding and Freedman (2020), at a hundred times the cost of "quick".
PROTOCOLS = {
    "quick": {
        "num_chains": 16,
        "num_increments": 200,
        "num_leapfrog_steps": 5,
        "schedule": "sigmoid",
    },
    "paper": {
        "num_chains": 16,
        "num_increments": 10_000,
        "num_leapfrog_steps": 10,
        "schedule": "linear",
    },
}

# Endings of files.
IMAGE_FILES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp"),
    *(".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"),
)
WAVE_FILES = (".wav", ".wave")
OWN_FILES = (*IMAGE_FILES, ".npy")


def is_own_file(name: str) -> bool:
    """Returns whether a name is that of a picture or an array, by its ending."""
    return name.lower().endswith(OWN_FILES)
