"""From trained networks to maps: the methods, and the run that maps one crater at a time."""
