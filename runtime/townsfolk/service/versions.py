"""What a client's version of the contract means for its calls."""

from __future__ import annotations

import logging

import grpc
from google.protobuf.message import Message

from townsfolk import contract
from townsfolk.contract import ContractVersion
from townsfolk.service.errors import UnknownFieldsError, VersionError

logger = logging.getLogger(__name__)

MAX_NAMED = 64
"""The most versions that the log names: a client can say any."""


class ClientVersions:
    """Judges the version that each call says."""

    def __init__(self) -> None:
        """Know of no client yet."""
        self._named: set[ContractVersion] = set()

    def is_newer(self, details: grpc.HandlerCallDetails) -> bool:
        """Return whether the client may say what this runtime does not know.

        Raises:
            ValueError: What it says is no version.
            VersionError: It can't be understood at all; the message says who is to be upgraded.
        """
        said = dict(details.invocation_metadata).get(contract.HEADER)
        if said is None or said == str(contract.OWN):
            return False
        client = ContractVersion.read(said if isinstance(said, str) else said.decode("latin-1"))
        comparison = contract.compare(client, contract.OWN)
        advice = contract.advice(
            f"the client (contract {client})", contract.this_runtime(), comparison
        )
        if not comparison.works:
            raise VersionError(advice)
        if advice and client not in self._named and len(self._named) < MAX_NAMED:
            self._named.add(client)
            logger.warning("a client is newer than this runtime: %s", advice)
        return bool(advice)


def check_known(request: Message) -> None:
    """Refuse a request that says more than this runtime understands.

    Raises:
        UnknownFieldsError: Some of its fields, or fields in these, are unknown here.
    """
    known = type(request)()
    known.CopyFrom(request)
    known.DiscardUnknownFields()  # type: ignore[no-untyped-call, unused-ignore]
    if known.ByteSize() != request.ByteSize():
        raise UnknownFieldsError(
            f"{request.DESCRIPTOR.name} holds what {contract.this_runtime()} does not know yet: "
            f"upgrade the runtime; {contract.HELP}",
            known,
        )
