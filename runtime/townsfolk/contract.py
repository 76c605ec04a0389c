"""The contract's version: which clients and runtimes understand each other, and who is to change.

`docs/upgrading.md` has the rules, and `tests/support/contract_cases.json` the cases that all
clients pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from townsfolk import __version__
from townsfolk.v1 import townsfolk_pb2 as pb

HEADER = "townsfolk-contract"
"""The metadata with which a client says its version."""
HELP = "docs/upgrading.md says how"
_WRITTEN = re.compile(r"(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True, slots=True, order=True)
class ContractVersion:
    """A version; of unlike majors nothing is understood, a larger minor adds to smaller ones."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def read(cls, text: str) -> ContractVersion:
        """Return the version that a header holds.

        Raises:
            ValueError: It is none; the message says what one looks like.
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError(f'{HEADER}: is "{text}" (allowed: MAJOR.MINOR, such as {OWN})')
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of_runtime(cls, info: pb.GetRuntimeInfoResponse) -> ContractVersion:
        """Return what a runtime says; 1.0 where it says nothing."""
        contract = info.contract
        return cls(contract.major, contract.minor) if info.HasField("contract") else UNSAID

    def message(self) -> pb.ContractVersion:
        """Return the version as the contract has it."""
        return pb.ContractVersion(major=self.major, minor=self.minor)


UNSAID = ContractVersion(1, 0)
"""That of runtimes and clients from before there were versions."""
OWN = ContractVersion(
    int(pb.ContractMajor.CONTRACT_MAJOR_CURRENT), int(pb.ContractMinor.CONTRACT_MINOR_CURRENT)
)
"""That of this program."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """What a client and a runtime can make of each other.

    Attributes:
        works: whether they understand each other.
        upgrade: who is to be upgraded, "runtime" or "client"; empty when nobody need be.
    """

    works: bool
    upgrade: str


def compare(client: ContractVersion, runtime: ContractVersion) -> Compatibility:
    """Return what a client and a runtime of these versions can make of each other."""
    older = "runtime" if runtime < client else "client"
    if client.major != runtime.major:
        return Compatibility(False, older)
    return Compatibility(True, older if runtime < client else "")


def advice(client: str, runtime: str, comparison: Compatibility) -> str:
    """Return what to do where versions differ; empty where nothing need be done.

    Args:
        client: What the client is called, with its version.
        runtime: What the runtime is called, with its version.
        comparison: Of their versions.
    """
    if not comparison.works:
        return (
            f"{client} and {runtime} don't understand each other: "
            f"upgrade the {comparison.upgrade}; {HELP}"
        )
    if comparison.upgrade:
        return (
            f"{runtime} is older than {client}: what is new in the client is refused; "
            f"upgrade the {comparison.upgrade}; {HELP}"
        )
    return ""


def product(name: str, version: str, contract: ContractVersion) -> str:
    """Return what a part is called in messages, such as "the runtime 0.1.0 (contract 1.1)"."""
    return f"the {name} {version} (contract {contract})".replace("  ", " ")


def this_runtime() -> str:
    """Return what this program is called as a runtime."""
    return product("runtime", __version__, OWN)
