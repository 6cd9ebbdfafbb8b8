"""Training: from labels to trained networks."""
