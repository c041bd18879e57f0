"""`python -m bpetok`: the command line."""

from bpetok.cli.main import main

if __name__ == "__main__":
    main()
