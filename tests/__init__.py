"""The tests, a package: a module that another one borrows from is then imported once."""
