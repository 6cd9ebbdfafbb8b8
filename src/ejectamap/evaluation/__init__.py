"""How good a map is, measured against hand-drawn labels."""
