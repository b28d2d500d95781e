"""Models behind OpenAI's API, or any that is compatible. Needs `greenroom[openai]`."""

from pathlib import Path

from greenroom.platforms.agents.openai.agent import OpenAIAgent as OpenAIAgent
from greenroom.platforms.agents.openai.settings import OpenAISettings as OpenAISettings
from greenroom.platforms.agents.tools.tool import Toolset


def make(settings: OpenAISettings, folder: Path, tools: Toolset) -> OpenAIAgent:
    """Make the agent."""
    return OpenAIAgent(settings, folder, tools)
