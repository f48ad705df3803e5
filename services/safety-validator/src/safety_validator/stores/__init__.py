"""PostgreSQL and files: translate, never decide."""
