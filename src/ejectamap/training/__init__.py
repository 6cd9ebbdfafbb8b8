"""From labels to trained networks."""
