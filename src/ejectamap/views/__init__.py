"""The pictures that networks see of the ground around a crater: geometry, sampling, channels."""
