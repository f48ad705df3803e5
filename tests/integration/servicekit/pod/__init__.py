"""A small service with a database, to be run as a process."""
