"""What keeps a runtime from starting; here, as some who raise it must not import gRPC."""


class StartError(Exception):
    """The runtime can't start; the message says what to change."""
