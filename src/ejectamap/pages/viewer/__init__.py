"""Interactive map of a project in the browser: mosaic, maps, labels and corrections."""
