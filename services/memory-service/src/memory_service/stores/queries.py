"""The statements of this service, by the names of their files."""

from servicekit.database import load_queries

QUERIES = load_queries("memory_service.stores")
