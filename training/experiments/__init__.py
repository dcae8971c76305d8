"""Experiments: the papers' tables beside ours, the leak ladder, chant, makam. `motifdb experiment` runs them."""
