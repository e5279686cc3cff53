"""The documents: what is made of the code, and that everything else in them is true of it."""
