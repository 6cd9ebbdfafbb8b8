"""The networks: architectures, losses, bundles, ensembles, and what runs them."""
