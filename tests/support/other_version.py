"""A runtime of another version of the contract: `other_version.py MAJOR.MINOR ARGUMENTS...`.

It is this one, told to be another: what it does with clients that differ is the real thing.
"""

from __future__ import annotations

import sys

from townsfolk import contract
from townsfolk.cli import main
from townsfolk.contract import ContractVersion
from townsfolk.service.servicer import TownsfolkServicer
from townsfolk.v1 import townsfolk_pb2 as pb

UNSAID = "none"
"""A runtime from before there were versions: it says none, and looks at none."""
MUTE = "mute:"
"""Before a version: the runtime says it, but looks at none."""


async def say_no_version(self, request, context):
    return pb.GetRuntimeInfoResponse(version="0.0.1", model="old", device="cpu")


if __name__ == "__main__":
    told = sys.argv[1]
    if told == UNSAID:
        TownsfolkServicer.GetRuntimeInfo = say_no_version
        contract.HEADER = "x-nobody-sends-this"
    else:
        contract.OWN = ContractVersion.read(told.removeprefix(MUTE))
    if told.startswith(MUTE):
        contract.HEADER = "x-nobody-sends-this"
    main(sys.argv[2:])
