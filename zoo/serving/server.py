"""The HTTP server: TensorFlow Serving's REST interface over models, presets and exports."""

import asyncio
import contextlib
import json
import logging
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures

import fastapi
import uvicorn
from starlette.exceptions import HTTPException

from zoo.core.checks import UsageError
from zoo.serving import rest
from zoo.serving.guard import Counters, Guard, Limits
from zoo.serving.served import Served

LOCAL = ("localhost", "127.0.0.1", "[::1]")


class BusyError(Exception):
    """Too many requests wait."""


class GoneError(Exception):
    """Who asked does not wait for the answer."""


def hosts_of(host: str, origins: Sequence[str] = ()) -> tuple[str, ...] | None:
    """The names that a server may be called by.

    Args:
      host: the address that it listens at.
      origins: addresses that a proxy has before it.

    Returns:
      The names; None, for any, where it listens to other machines.
    """
    if (f"[{host}]" if ":" in host else host) not in LOCAL:
        return None
    return *LOCAL, *(urllib.parse.urlsplit(origin).netloc.partition(":")[0] for origin in origins)


class Workers:
    """Threads that compute answers; a request is computed alone, since its draws are its own."""

    def __init__(self, limits: Limits):
        self._places = threading.BoundedSemaphore(limits.max_queue)
        self._threads = futures.ThreadPoolExecutor(limits.num_threads, "zoo-serving")

    def start(self, function: Callable, *arguments) -> futures.Future:
        """Has a thread call the function, as soon as one is free.

        Raises:
          BusyError: if too many wait already.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError
        future = self._threads.submit(function, *arguments)
        future.add_done_callback(lambda _: self._places.release())
        return future

    async def run(self, http: fastapi.Request, function: Callable, *arguments):
        """What the function returns, as `start` has it computed, if the client waits for it.

        Raises:
          BusyError: as `start`.
          GoneError: if the client has gone; what has not begun is not computed then.
        """
        future = self.start(function, *arguments)
        found, leaving = asyncio.wrap_future(future), asyncio.ensure_future(_left(http))
        try:
            await asyncio.wait({found, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not found.done():
                raise GoneError
            return found.result()
        finally:
            leaving.cancel()
            future.cancel()

    def close(self) -> None:
        """Waits for what is computed, and computes nothing else."""
        self._threads.shutdown(cancel_futures=True)


def make_app(
    models: Sequence[Served],
    *,
    limits: Limits | None = None,
    origins: Sequence[str] = (),
    hosts: Sequence[str] | None = LOCAL,
) -> fastapi.FastAPI:
    """Makes the server's application.

    Args:
      models: what it serves, each by its name.
      limits: of requests.
      origins: pages of other addresses that may ask.
      hosts: names that this server may be called by; None for any.

    Returns:
      An ASGI application. Its `state` holds `models`, `workers` and `limits`.

    Raises:
      UsageError: if two models have the same name.
    """
    by_name = {served.name: served for served in models}
    if len(by_name) < len(models):
        raise UsageError(f"models must have names of their own; they were {list(by_name)}.")
    limits, counters = limits or Limits(), Counters()
    app = fastapi.FastAPI(title="MCMC zoo", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, limits=limits, counters=counters, origins=origins, hosts=hosts)
    workers = Workers(limits)
    app.state.models, app.state.limits, app.state.workers = by_name, limits, workers
    _tell_errors(app)

    @app.get("/metrics")
    @app.get("/monitoring/prometheus/metrics")  # where TensorFlow Serving has it
    def metrics():
        return fastapi.Response(counters.text(), media_type="text/plain; version=0.0.4")

    @app.api_route("/health", methods=["GET", "HEAD"])
    def health():
        return {"status": "alive"}

    @app.api_route("/ready", methods=["GET", "HEAD"])
    def ready():
        return {"status": "ready", "models": list(by_name)}

    def found(name, version=rest.VERSION):
        if name not in by_name:
            known = ", ".join(map(repr, by_name))
            raise HTTPException(404, f"model: there is no {name!r}; known are {known}.")
        if version != rest.VERSION:
            raise HTTPException(404, f"version must be {rest.VERSION}; it was {version!r}.")
        return by_name[name]

    @app.get("/v1/models/{name}")
    @app.get("/v1/models/{name}/versions/{version}")
    def status(name: str, version: str = rest.VERSION):
        found(name, version)
        return rest.status()

    @app.get("/v1/models/{name}/metadata")
    @app.get("/v1/models/{name}/versions/{version}/metadata")
    async def metadata(http: fastapi.Request, name: str, version: str = rest.VERSION):
        return await workers.run(http, rest.metadata, found(name, version))

    @app.post("/v1/models/{name}:predict")
    @app.post("/v1/models/{name}/versions/{version}:predict")
    async def predict(http: fastapi.Request, name: str, version: str = rest.VERSION):
        served, body = found(name, version), await http.body()
        signature, size, answer = await workers.run(http, predicted, served, body, limits)
        counters.examples.labels(name, signature).inc(size)
        http.scope.setdefault("state", {})["told"] = {"signature": signature, "examples": size}
        return fastapi.Response(answer, media_type="application/json")

    return app


def predicted(served: Served, body: bytes, limits: Limits) -> tuple[str, int, bytes]:
    """Answers the body of a request to predict.

    Args:
      served: the model.
      body: JSON.
      limits: of the examples and transitions.

    Returns:
      The signature that answered, how many examples, and the body of the answer.

    Raises:
      UsageError: for a request that is none, or beyond the limits.
    """
    request = rest.read_request(body)
    signature = request.signature
    if signature in (None, "serving_default"):
        signature = served.signatures[0]
    specs = served.specs(signature)
    if request.num_rows > limits.max_batch:
        most = f"at most {limits.max_batch} rows in a request; they were {request.num_rows}."
        raise UsageError(f"instances must be {most}")
    inputs = rest.columns(request, specs)
    check_limits(inputs, limits)
    outputs = served.ask(signature, inputs)
    size = len(next(iter(outputs.values())))
    return signature, size, rest.answer(outputs, request.in_rows)


def check_limits(inputs: dict, limits: Limits) -> None:
    """Refuses more examples or transitions than a request may ask for.

    Raises:
      UsageError: naming what was too many.
    """
    most = {"num_samples": limits.max_batch, "num_steps": limits.max_steps}
    for name, value in inputs.items():
        count = len(value) if isinstance(value, list) and name != "seed" else value
        bound = most.get(name, limits.max_batch if isinstance(value, list) else None)
        if bound and isinstance(count, int) and count > bound:
            raise UsageError(f"{name} must be at most {bound} in a request; it was {count}.")


def serve(app: fastapi.FastAPI, *, host: str, port: int, on_start: Callable | None = None) -> None:
    """Serves until SIGINT or SIGTERM, then answers what it has begun, and ends.

    Args:
      app: of `make_app`.
      host: the address that it listens at; 127.0.0.1 is this machine alone.
      port: 0 for any that is free.
      on_start: called with the address of the server, once it listens.

    Raises:
      UsageError: if nothing can listen there.
    """
    server, socket, address = _server(app, host, port)

    async def run():
        serving = asyncio.create_task(server.serve([socket]))
        while not (server.started or serving.done()):
            await asyncio.sleep(0.01)
        if on_start is not None and server.started:
            on_start(address)
        await serving

    # The signal is raised again once all is answered, and the program has ended as it was told.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
    app.state.workers.close()


@contextlib.contextmanager
def running(app: fastapi.FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """A context in which a thread serves, such as of a notebook.

    Args:
      app: of `make_app`.
      host: as `serve`.
      port: as `serve`.

    Yields:
      The address of the server.

    Raises:
      UsageError: as `serve`.
    """
    server, socket, address = _server(app, host, port)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield address
    finally:
        server.should_exit = True
        thread.join()
        app.state.workers.close()


async def _left(http):
    while (await http.receive())["type"] != "http.disconnect":
        pass


def _server(app, host, port):
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        limit_concurrency=app.state.limits.max_queue + 100,  # connections, also without a question
        timeout_graceful_shutdown=30,
    )
    try:
        socket = config.bind_socket()
    except SystemExit:
        raise UsageError(f"port: nothing can listen at {host}:{port}; is it in use?") from None
    name = f"[{host}]" if ":" in host else host
    return uvicorn.Server(config), socket, f"http://{name}:{socket.getsockname()[1]}"


def log_lines() -> None:
    """Sends a line of JSON for each request to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        logging.Formatter('{"time": "%(asctime)s", "level": "%(levelname)s", "told": %(message)s}')
    )
    logger = logging.getLogger("zoo.serving")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)


def _tell_errors(app):
    """One sentence each, in TensorFlow Serving's shape."""

    def told(status, sentence, headers=None):
        body = json.dumps({"error": sentence})  # in ASCII, since a sentence may name half a letter
        return fastapi.Response(body, status, headers, "application/json")

    @app.exception_handler(UsageError)
    async def refused(request, error):
        return told(400, str(error))

    @app.exception_handler(BusyError)
    async def busy(request, error):
        most = request.app.state.limits.max_queue
        return told(429, f"{most} requests wait already; ask again.", {"retry-after": "1"})

    @app.exception_handler(GoneError)
    async def gone(request, error):
        return told(499, "nobody waits for the answer.")

    @app.exception_handler(HTTPException)
    async def of_http(request, error):
        return told(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def failed(request, error):
        return told(500, f"the model failed: {type(error).__name__}.")
