"""One module per way to isolate a step; found by name, never registered."""
