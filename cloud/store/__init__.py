"""The centre's own tables, in SQLite or PostgreSQL; everything that is not a time series."""
