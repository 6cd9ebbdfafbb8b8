"""The map on disk: one crater's files, the global products made of them, and where they came from."""
