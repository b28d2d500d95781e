"""greenroom keeps an agent's chat sessions alive."""
