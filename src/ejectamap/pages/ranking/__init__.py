"""A ranking study: people choose the better of two maps of a crater, without knowing which method made which."""
