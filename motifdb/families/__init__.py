"""Melodic variants: from pitch in cents to groups of stretches that are one melody. Arrays in, arrays out."""

from motifdb.families.config import FamiliesConfig
from motifdb.families.find import find_families
from motifdb.families.model import Candidate, FoundFamily, Member, Track

__all__ = ["Candidate", "FamiliesConfig", "FoundFamily", "Member", "Track", "find_families"]
