"""Training examples: spans of recordings, where motifs sound or to compare them with."""
