"""What is compiled on the player's machine is kept while its sources, which go along, stay."""

module_collection_mode = {"townsfolk_kernels.compiled": "pyz+py"}
