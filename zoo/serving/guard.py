"""What stands before every request to the server: limits, origins, counters and log lines."""

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import Sequence

import prometheus_client as prometheus

from zoo.core.checks import check_count

log = logging.getLogger("zoo.serving")
_PATIENCE = 30  # seconds until the next piece of a body


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
      max_batch: examples of a request.
      max_steps: transitions of a chain.
      max_body: bytes of a body.
      max_queue: requests that are computed or wait; a further one is told to come again.
      num_threads: requests that are computed at the same time.
    """

    max_batch: int = 64
    max_steps: int = 2_000
    max_body: int = 2**22
    max_queue: int = 32
    num_threads: int = 2

    def __post_init__(self):
        check_count(**dataclasses.asdict(self))


class Counters:
    """What Prometheus is told."""

    def __init__(self):
        self.registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            "zoo_requests", "Requests.", ["route", "status"], registry=self.registry
        )
        self.seconds = prometheus.Histogram(
            "zoo_request_seconds", "Until the answer was sent.", ["route"], registry=self.registry
        )
        self.open = prometheus.Gauge("zoo_open_requests", "Being answered.", registry=self.registry)
        self.examples = prometheus.Counter(
            "zoo_examples", "Examples answered.", ["model", "signature"], registry=self.registry
        )

    def text(self) -> bytes:
        """The counters, as Prometheus reads them."""
        return prometheus.generate_latest(self.registry)


class Guard:
    """ASGI middleware: refuses large bodies and other origins, counts, and logs a line each.

    Args:
      app: what it stands before.
      limits: of which the size of bodies is seen to here.
      counters: that it counts with.
      origins: pages of other addresses that may ask, such as "https://example.org".
      hosts: names by which this server may be called, in small letters; None for any. A page of
        another site whose name leads here would be taken for its own otherwise.
    """

    def __init__(
        self,
        app,
        *,
        limits: Limits,
        counters: Counters,
        origins: Sequence[str] = (),
        hosts: Sequence[str] | None = None,
    ):
        self.app, self.limits, self.counters = app, limits, counters
        self.origins, self.hosts = frozenset(origins), hosts

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start, told = time.perf_counter(), {"status": None, "sent": 0}
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        origin = headers.get("origin")

        async def counted(message):
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                if origin in self.origins:
                    allowed = ("access-control-allow-origin", origin), ("vary", "Origin")
                    pairs = [(k.encode(), v.encode()) for k, v in allowed]
                    message = message | {"headers": [*message["headers"], *pairs]}
            told["sent"] += len(message.get("body", b""))
            await send(message)

        self.counters.open.inc()
        try:
            refusal = self._refusal(scope, headers, origin)
            if refusal:
                await _refuse(counted, *refusal)
            elif scope["method"] == "OPTIONS" and origin in self.origins:
                await _allow(counted)
            else:
                await self._pass(scope, receive, counted)
        except asyncio.CancelledError:  # of a server that ends
            if told["status"] is None:
                await _refuse(counted, 503, "the server ends; ask again.")
        finally:
            self.counters.open.dec()
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "none")
            status = told["status"] or 499  # of who has gone before an answer
            self.counters.requests.labels(route, status).inc()
            self.counters.seconds.labels(route).observe(seconds)
            line = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(seconds * 1e3, 2),
                "bytes": told["sent"],
            }
            log.info(json.dumps(line | scope.get("state", {}).get("told", {})))

    def _refusal(self, scope, headers, origin):
        host = headers.get("host", "")
        if self.hosts is not None and _name(host.lower()) not in self.hosts:
            return 400, f"host must be one of {', '.join(self.hosts)}; it was {host!r}."
        own = f"{scope['scheme']}://{host}"
        if origin is not None and origin != own and origin not in self.origins:
            return 403, f"origin must be this server or one that it allows; it was {origin!r}."
        if headers.get("content-encoding", "identity") != "identity":
            encoding = headers["content-encoding"]
            return 415, f"content-encoding must be left out; it was {encoding!r}."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self.limits.max_body:
            return 413, self._too_large
        return None

    @property
    def _too_large(self):
        return f"body must be of at most {self.limits.max_body} bytes."

    async def _pass(self, scope, receive, send):
        """A body in pieces may be longer than it says, or say nothing, or not come."""
        if scope["method"] != "POST":
            return await self.app(scope, receive, send)
        pieces, size, more = [], 0, True
        while more:
            try:
                message = await asyncio.wait_for(receive(), _PATIENCE)
            except TimeoutError:
                return await _refuse(send, 408, f"body must go on within {_PATIENCE} s.")
            if message["type"] != "http.request":
                return None  # who asked has gone
            pieces.append(message.get("body", b""))
            size, more = size + len(pieces[-1]), message.get("more_body", False)
            if size > self.limits.max_body:
                return await _refuse(send, 413, self._too_large)
        whole = [{"type": "http.request", "body": b"".join(pieces), "more_body": False}]

        async def read():
            return whole.pop() if whole else await receive()

        return await self.app(scope, read, send)


def _name(host):
    """Of a host, without the port."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


async def _refuse(send, status, sentence):
    await _send(send, status, json.dumps({"error": sentence}).encode())


async def _allow(send):
    headers = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type"),
    ]
    await _send(send, 204, b"", headers)


async def _send(send, status, body, headers=()):
    headers = [(b"content-type", b"application/json"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
