"""Every wire that leaves the process: chats, agents and operators."""
