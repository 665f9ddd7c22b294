"""The ledger in a database: SQLite in the home, or PostgreSQL."""
