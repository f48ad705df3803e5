"""The public HTTP API as types: what travels between callers and the services."""
