"""Measures requests per second and latencies of an exported model.

    python scripts/export.py --workdir=runs/hmc_dlgm_digits
    python scripts/serve_check.py --workdir=runs/hmc_dlgm_digits --num_steps=100

Asks DIR/export, as TensorFlow alone loads it, in this process, one request after the other:
`sample` and `inpaint`, by the requests that the export carries, repeated to batches. Prints a
table, and writes serve_check.json.
"""

from absl import flags

from zoo.runs import cli

WORKDIR = cli.define_workdir()
BATCH_SIZES = flags.DEFINE_list("batch_sizes", "1,8,64", "Images in a request.")
flags.register_validator(
    "batch_sizes",
    lambda sizes: sizes and all(size.isdecimal() and int(size) > 0 for size in sizes),
    "must be numbers greater than 0, with commas between.",
)
SECONDS = flags.DEFINE_float("seconds", 5.0, "How long each signature and batch size is asked.")
NUM_STEPS = flags.DEFINE_integer("num_steps", 100, "Transitions of the chain that completes.")

if __name__ == "__main__":
    cli.parse()

import pathlib

import tensorflow as tf

from zoo.core.files import write_json
from zoo.runs import manifest
from zoo.runs.run import open_run
from zoo.serving import latency as serving


def main() -> None:
    workdir = pathlib.Path(open_run(WORKDIR.value, to_write=True).workdir)
    requests = serving.warmup_requests(workdir / "export")
    signatures = tf.saved_model.load(str(workdir / "export")).signatures
    measured = {}
    print("signature   batch   requests/s   p50 ms   p95 ms   p99 ms")
    for name in ("sample", "inpaint"):
        if name not in signatures:
            continue
        counts = {"num_steps": NUM_STEPS.value} if name == "inpaint" else {}
        for size in map(int, BATCH_SIZES.value):
            found = serving.latencies(
                signatures[name], requests[name], size, seconds=SECONDS.value, **counts
            )
            numbers = f"{found.requests_per_second:10.1f}" + "".join(
                f"{value:9.2f}" for value in found[1:]
            )
            print(f"{name:<10}{size:>7}   {numbers}")
            measured[f"{name}, batch {size}"] = found._asdict()
    told = measured | {"num_steps": NUM_STEPS.value}
    write_json(manifest.claim(workdir, "serve_check.json"), told)


if __name__ == "__main__":
    cli.run(main)
