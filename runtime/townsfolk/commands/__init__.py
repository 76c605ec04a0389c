"""The commands of the command line that need no room of their own."""
