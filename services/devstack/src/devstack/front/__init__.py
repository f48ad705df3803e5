"""The one address: a streaming reverse proxy before the three services."""
