"""What a session is: its words, its decisions and the actors that carry them. Imports no other room."""
