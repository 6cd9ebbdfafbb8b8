"""The Python interface, which the package itself offers: `import ejectamap as em`."""
