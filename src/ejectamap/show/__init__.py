"""Figures of a map: the global picture, a card for each crater, and plots of tables."""
