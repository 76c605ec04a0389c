"""What can go wrong while a bundle is made."""


class BundleError(Exception):
    """The bundle can't be made; the message says what to do."""
