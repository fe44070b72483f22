"""One process, two logical CPU devices (for the replica tests), small real data."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def digits():
    from zoo import data

    return data.load("digits")


@pytest.fixture(scope="session")
def images(digits):
    """A batch of real digits, grey levels."""
    return next(iter(digits.test))["x"].numpy()
