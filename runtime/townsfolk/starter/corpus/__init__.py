"""A seeded program that writes conversations between players and the people of many worlds."""
