"""A service small enough to test the runner with."""
