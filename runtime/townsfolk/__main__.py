"""`python -m townsfolk` is the command line."""

from townsfolk.cli import main

main()
