"""Sources go along: what is compiled on the player's machine is kept, or found, by them."""

module_collection_mode = {"townsfolk_kernels": "pyz+py"}
