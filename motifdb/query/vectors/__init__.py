"""Vectors by nearness: exact search, an index over many, and what a query by sound means."""
