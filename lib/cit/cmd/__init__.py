"""One module per command: arguments, and main(argv) -> exit code."""
