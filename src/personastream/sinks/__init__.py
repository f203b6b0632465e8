"""Where settled rows go: the frame log on disk, its recovery and its verification."""
