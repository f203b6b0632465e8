"""What is asked for a row: one recipe a module, plain async code over `ask`."""
