"""Exchange with other programs: the authors' release and people's labels are read, maps are exported."""
