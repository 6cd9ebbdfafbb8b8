"""Simulated planets with exactly known ejecta, to train networks on and to test measurements against."""
