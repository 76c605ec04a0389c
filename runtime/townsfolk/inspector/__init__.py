"""A debugger for a running runtime: what its characters were told, waited for and failed at."""
