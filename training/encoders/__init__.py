"""Networks trained without classes: pairs, losses, the loop over steps, and how they are stored."""
