"""What a model is worth: figures, baselines, stored runs, comparisons."""
