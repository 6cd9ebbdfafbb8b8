"""Search for better settings: each trial is a project of its own, trained, mapped and evaluated."""
