"""The sessions and what becomes true, in a terminal: `greenroom top`."""
