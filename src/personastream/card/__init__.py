"""What is told of a data set, for people and programs: a README with YAML, Croissant metadata, PROV lineage. Pure."""
