"""Generated code of the contract in proto/townsfolk/v1; made by `make proto`."""
