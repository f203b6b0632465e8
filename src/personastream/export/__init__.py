"""Export: the records of a run as the training data that other tools read. One format a module, in `formats/`."""
