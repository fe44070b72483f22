"""Scores samples of a work directory's model against test images by a Fréchet distance.

    python scripts/fid.py --workdir=runs/hmc_dlgm_digits
    python scripts/fid.py --workdir=runs/hmc_dlgm_cifar10 --features=inception --num_samples=5000

Writes fid.json. The score is called by the network whose features are compared, since it cannot be
compared with that of another, nor with a published FID: fid_keras_inception (InceptionV3 of Keras,
some images per second on a CPU) or frechet_small (a small classifier, trained on the data at once,
the same one for every run on the same data).
"""

from absl import flags

from zoo.core import choices
from zoo.runs import cli

WORKDIR = cli.define_workdir()
FEATURES = flags.DEFINE_enum(
    "features",
    "auto",
    ("auto", "inception", "small"),
    "Whose features are compared. auto is inception if --fid_weights is given or Keras has "
    "downloaded its weights before, else small.",
)
FID_WEIGHTS = flags.DEFINE_string(
    "fid_weights", None, "An HDF5 file with the weights of Keras's InceptionV3, without its top."
)
NUM_SAMPLES = flags.DEFINE_integer(
    "num_samples", None, "Draws from the model; as many as test images by default.", lower_bound=2
)
NUM_IMAGES = flags.DEFINE_integer(
    "num_images", None, "First so many test images; all by default.", lower_bound=2
)
LATENTS = flags.DEFINE_enum(
    "latents",
    "prior",
    choices.LATENTS,
    "Where the model's latents come from: fitted is a Gaussian with the moments of those inferred "
    "for training images.",
)
SEED = flags.DEFINE_integer("seed", 0, "Seed of the draws.")

if __name__ == "__main__":
    cli.parse()

from zoo import scores
from zoo.core.checks import UsageError
from zoo.core.files import write_json
from zoo.runs import manifest
from zoo.runs.run import open_run
from zoo.scores.feature_networks import inception_is_here


def main() -> None:
    if FEATURES.value == "small" and FID_WEIGHTS.value is not None:
        raise UsageError("fid_weights: leave it out of --features=small, which takes none.")
    run = open_run(WORKDIR.value, to_write=True)
    # The same classifier and training images for all runs on these data.
    run.config.seed, run.config.data.batch_size = 0, 50
    if run.config.data.get("num_labels"):
        run.config.data.num_labels = 0
    model = run.model
    network = feature_network(run.data)
    figures = scores.frechet(
        model,
        run.data,
        network,
        num_samples=NUM_SAMPLES.value,
        num_images=NUM_IMAGES.value,
        latents=LATENTS.value,
        seed=SEED.value,
    )
    write_json(manifest.claim(run.workdir, "fid.json"), figures)
    print(f"\n{model.name}: {network.score} against {figures['num_test_images']} test images")
    for name, key, number in (
        ("samples", network.score, figures["num_samples"]),
        ("train_images", "train_images", figures["num_train_images"]),
    ):
        print(f"  {name:<26}{figures[key]:10.4f}  {number} images")


def feature_network(data) -> scores.FeatureNetwork:
    """The one that the flags ask for."""
    features = FEATURES.value
    if features == "auto":
        given = FID_WEIGHTS.value is not None or inception_is_here()
        features = "inception" if given else "small"
    if features == "inception":
        print("Features: InceptionV3 of Keras", flush=True)
        return scores.inception_features(FID_WEIGHTS.value or "imagenet")
    network = scores.classifier_features(data)
    print(f"It classifies {network.accuracy:.1%} of the test images rightly.", flush=True)
    return network


if __name__ == "__main__":
    cli.run(main)
