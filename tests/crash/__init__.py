"""Real runs, killed by SIGKILL at random moments and resumed until nothing is left to do."""
