"""`python -m personastream`, and what the `personastream` command calls."""

from personastream.cli import main

if __name__ == "__main__":
    main()
