"""The live view: pages for whoever is on call, made on the server, with a token at the door."""
