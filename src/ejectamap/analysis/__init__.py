"""What the maps say about the craters: measurements, and how craters group."""
