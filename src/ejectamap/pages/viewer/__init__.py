"""The interactive map of a project: mosaic, maps and labels in the browser."""
