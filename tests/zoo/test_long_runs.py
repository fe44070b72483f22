"""Memory does not grow with the number of training steps."""

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import pathlib, sys
    import keras
    import zoo

    def resident():
        status = pathlib.Path("/proc/self/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    class Memory(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if self.model.optimizer.iterations in (200, 2000):
                print(resident())

    data = zoo.data.load("digits")
    method = zoo.get_method(sys.argv[1])
    model = method.for_data(data, **method.tiny)
    model.compile(jit_compile=True)
    model.fit(data.train.take(25), epochs=80, callbacks=[Memory()], verbose=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VAE", "HMCDLGM", "AnnealedVAE", "ABP", "UndirectedDVAE"])
def test_memory_after_200_and_2000_steps(name):
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    early, late = map(float, done.stdout.split())
    growth = late / early - 1
    print(f"{name}: {early:.0f} MiB after 200 steps, {late:.0f} after 2,000: {growth:+.2%}")
    assert growth < 0.01
