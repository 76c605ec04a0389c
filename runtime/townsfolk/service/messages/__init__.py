"""Between the contract's messages and the rooms' own values; nothing is lost either way."""
