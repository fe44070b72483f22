"""Serves trained models by TensorFlow Serving's REST interface, with limits and counters.

    python scripts/serve.py --preset=hmc_dlgm_digits,vae_digits
    python scripts/serve.py --workdir=runs/mine --export=runs/other/export --port=8501

Models are called by the names of their presets, work directories and exports:

    curl http://localhost:8501/v1/models/hmc_dlgm_digits
    curl http://localhost:8501/v1/models/hmc_dlgm_digits:predict -d @request.json

where request.json holds {"signature_name": "sample", "inputs": {"num_samples": 2, "seed": [0, 0]}}.

Requests are computed one by one, never merged, so that the same seed and batch give the same
answer. Mistakes are told in one sentence and a status of 4xx; beyond --max_queue requests it is
429. /health and /ready tell how the server is, /metrics counts for Prometheus, and standard error
has a line of JSON for each request. Only this machine is answered unless --host says otherwise,
and only the server's own pages unless --allow_origin does. Ctrl-C and SIGTERM let it finish what it
has begun, for at most 30 s.
"""

from zoo.runs import cli
from zoo.runs.served_models import define_server

MAKE_SERVER = define_server(8501)

if __name__ == "__main__":
    cli.parse()


def main() -> None:
    app, where = MAKE_SERVER()
    from zoo.serving import server  # once it is known that its packages are there

    server.log_lines()

    def tell(address):
        for name in app.state.models:
            print(f"{address}/v1/models/{name}", flush=True)

    server.serve(app, **where, on_start=tell)


if __name__ == "__main__":
    cli.run(main)
