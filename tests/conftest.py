"""One process, two logical CPU devices (for the replica tests), small real data."""

import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What a shell runs in the background ignores Ctrl-C, and so would all that tests send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """What the program `train` left of a small HMC-DLGM, to stay as it is, and what it told."""
    from programs import TINY, run_here

    workdir = tmp_path_factory.mktemp("runs") / "hmc_dlgm_digits"
    result = run_here("train", "--config=hmc_dlgm", *TINY, f"--workdir={workdir}")
    assert result.returncode == 0, result.stderr
    return workdir, result
