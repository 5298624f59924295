"""A small network of real programs, in which dynrelay does its job."""
