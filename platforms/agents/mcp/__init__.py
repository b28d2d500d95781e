"""Tools of servers that speak the Model Context Protocol: a child process's, or one's that is reached over HTTP."""

from greenroom.platforms.agents.mcp.server_tools import make as make
