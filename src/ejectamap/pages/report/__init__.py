"""The report: one HTML file that shows everything known of a map, and loads no other file."""
