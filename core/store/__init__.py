"""The study directory: all that a study is stands here, so any driver may die and any other go on."""
