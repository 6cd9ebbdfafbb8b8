"""The networks: architectures, losses, bundles, ensembles, and the backends that run them."""
