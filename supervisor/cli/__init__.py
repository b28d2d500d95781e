"""The command line: typer commands over the supervisor and the store."""
