"""Measurements of each crater's mapped ejecta, and families of craters."""
