"""Whether this client and a runtime understand each other."""

from __future__ import annotations

import warnings

from townsfolk import __version__, contract
from townsfolk.client.errors import VersionMismatchError
from townsfolk.contract import ContractVersion
from townsfolk.v1.townsfolk_pb2 import GetRuntimeInfoResponse


def check_version(info: GetRuntimeInfoResponse) -> None:
    """Compare contracts; warn where some of the client's calls would be refused.

    Raises:
        VersionMismatchError: They don't understand each other.
    """
    runtime = ContractVersion.of_runtime(info)
    comparison = contract.compare(contract.OWN, runtime)
    advice = contract.advice(
        contract.product("Python client", __version__, contract.OWN),
        contract.product("runtime", info.version, runtime),
        comparison,
    )
    if not comparison.works:
        raise VersionMismatchError(advice)
    if advice:
        warnings.warn(advice, RuntimeWarning, stacklevel=2)
