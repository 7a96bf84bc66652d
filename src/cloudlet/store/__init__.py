"""Where everything that must last is kept: SQLite in the data folder, or PostgreSQL that many nodes share."""
