"""A page on loopback to search, see and hear motifs: a small Starlette application over one snapshot."""
