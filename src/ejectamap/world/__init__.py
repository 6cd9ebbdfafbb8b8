"""What is on the ground: the body, its mosaic, its craters, and what people have labelled."""
