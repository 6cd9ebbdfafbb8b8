"""How a network looks at the ground: chips, corridors and polar views, sampled straight from the mosaic."""
