"""One module per step of the command language; found by name, never registered."""
