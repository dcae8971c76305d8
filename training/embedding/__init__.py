"""Vectors of recordings, clips and occurrences: the models that make them and the job that stores them."""
