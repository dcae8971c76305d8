"""A faster, disposable copy of large tables and views: native DuckDB files in the user's cache folder.

A snapshot never changes, so a copy of a table at one version stays right for ever. There is one file per table or view, found by a
hash of all that its content follows from, and believed only where its own mark agrees. It is made in the background, by a child
process of low priority, after a statement first asked a large table; until then, and whenever there is any doubt, statements
read the stored table itself. `MOTIFDB_CACHE=off` turns it off, `MOTIFDB_CACHE=FOLDER` moves it; deleting files of it
loses nothing.

Modules: `folder` (where), `keys` (which file belongs to what), `shelf` (find, believe, evict), `build` (make).
"""
