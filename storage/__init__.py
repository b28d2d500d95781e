"""The one writer of truth: SQLite through apsw."""
