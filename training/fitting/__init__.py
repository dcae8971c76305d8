"""Training a network: recipes, the loop, checkpoints, Ray Train, and using what was trained."""
