"""Melodic variants: from pitch in cents to groups of stretches that are one melody. Arrays in, arrays out."""
