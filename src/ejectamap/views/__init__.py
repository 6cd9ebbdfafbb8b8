"""The inputs of the networks: geometry, sampling and channels of the pictures of a crater's surroundings."""
