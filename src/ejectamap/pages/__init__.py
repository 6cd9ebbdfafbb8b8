"""Pages in the browser: the report, the viewer, the ranking page, and the server on this machine."""
