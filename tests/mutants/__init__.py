"""A mutation run: small changes of the product that the tests have to notice."""
