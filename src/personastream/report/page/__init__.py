"""How it is shown: plain data in, one HTML page out, with nothing that it loads or runs."""
