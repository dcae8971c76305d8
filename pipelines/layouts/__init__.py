"""Known corpora: how their folders look, and what their files and tables say about each recording."""
