"""The command line. Nothing imports this package but the `bpetok` script."""
