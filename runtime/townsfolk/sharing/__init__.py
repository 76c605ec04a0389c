"""One runtime for several games of a user: found by what it runs, alive while any of them is.

A game starts `townsfolk serve --share` as it starts its own runtime, and gets an *attendant*: a
small process that finds the runtime of this model and these settings or starts it, holds a *lease*
on it, and hands on where it serves. The runtime, the *host*, is nobody's child. It has one engine,
and for each lease a server with sessions, lore, a port and a token of its own. It ends with the
last lease.
"""
