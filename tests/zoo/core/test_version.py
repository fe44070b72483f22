"""Files of other versions are refused in one sentence that says which version wrote them."""

import keras
import pytest

import zoo
from zoo.core import version


@pytest.mark.parametrize("written_by", [None, "0.1.0", "7.0.0"])
def test_only_files_of_this_version_are_read(written_by):
    version.check(version.VERSION, "checkpoint 'c'")
    expected = (
        f"checkpoint 'c' was written by version {written_by or '0.1.0'} of the zoo, and this is "
        f"{zoo.__version__}; load it with that version, or train it again."
    )
    with pytest.raises(zoo.UsageError) as error:
        version.check(written_by, "checkpoint 'c'")
    assert str(error.value) == expected


@pytest.mark.parametrize(
    "name", ["VAE", "DVAE", "UndirectedDVAE", "UndirectedStructuredPrediction"]
)
def test_models_of_the_first_version(name):
    """As its `.keras` files have them: without a version, and maybe of a class that is gone."""
    config = {
        "module": "zoo.models.somewhere",
        "class_name": name,
        "config": {"name": "old", "seed": 0, "likelihood": {"class_name": "Gone", "config": {}}},
        "registered_name": f"zoo>{name}",
    }
    with pytest.raises(zoo.UsageError, match=r"model 'old' was written by version 0\.1\.0"):
        keras.saving.deserialize_keras_object(config)
