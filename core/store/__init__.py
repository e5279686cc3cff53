"""The study directory: it holds all of a study, so any driver may die and any other can resume."""
