"""Prometheus metrics: the engine's counters as they are at each scrape, and every call's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf.message import Message
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from townsfolk.v1.townsfolk_pb2 import WatchStatsResponse

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_TOTAL = "_total"


class StatsCollector(Collector):
    """The fields of WatchStatsResponse, by their names in the contract, with its comments' sense.

    Fields whose names end in `_total` are counters, the others gauges.
    """

    def __init__(self, stats: Callable[[], WatchStatsResponse | None]) -> None:
        """Ask `stats` at each scrape; None means that nothing is known yet."""
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Give one metric a field."""
        stats = self._stats()
        if stats is None:
            return
        yield from _metrics("townsfolk", stats)


def _metrics(prefix: str, message: Message) -> Iterator[Metric]:
    """Give one metric a number of a message; one in it puts its name before its numbers."""
    for field in message.DESCRIPTOR.fields:
        name, value = f"{prefix}_{field.name}", getattr(message, field.name)
        description = f"See {field.full_name} in the contract."
        if isinstance(value, Message):
            yield from _metrics(name, value)
        elif field.name.endswith(_TOTAL):
            yield CounterMetricFamily(name.removesuffix(_TOTAL), description, float(value))
        else:
            yield GaugeMetricFamily(name, description, float(value))


class MetricsServer:
    """Answers Prometheus on a port of its own, in a thread of its own."""

    def __init__(
        self, host: str, port: int, stats: Callable[[], WatchStatsResponse | None]
    ) -> None:
        """Bind the port and serve.

        Raises:
            OSError: The port is taken or the address is not of this machine.
        """
        registry = CollectorRegistry()
        registry.register(StatsCollector(stats))
        self._calls = Counter(
            "townsfolk_calls", "Calls that ended.", ["method", "code"], registry=registry
        )
        self._seconds = Histogram(
            "townsfolk_call_seconds",
            "How long calls took, in seconds.",
            ["method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._server, self._thread = start_http_server(port, host, registry)
        self.port: int = self._server.server_port

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """Count a call."""
        self._calls.labels(method, code).inc()
        self._seconds.labels(method).observe(seconds)

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
