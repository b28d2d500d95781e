"""What can be set of a model behind OpenAI's API, or one that is compatible: the table `[agent.openai]`."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from greenroom.platforms.agents.settings import AgentSettings
from greenroom.platforms.chats.secret import Secret

IMAGE_BYTES_MAX = 5_000_000
"""Largest file that is sent to a model as an image."""


class OpenAISettings(AgentSettings):
    """A model behind OpenAI's API, or a server that speaks the same: Ollama, vLLM, llama.cpp, OpenRouter."""

    model: str = Field(min_length=1)  # its name, as the server knows it
    api: Literal["chat", "responses"] = "chat"  # which of OpenAI's APIs: most other servers speak the first
    base_url: str | None = Field(default=None, pattern="^https?://")
    """Any server that speaks the same, such as http://127.0.0.1:11434/v1; without it, OpenAI's own."""
    key: Secret | None = None  # its key, read anew for each request; a server of one's own mostly needs none
    system: str = ""  # what the model is told before all else
    fallbacks: tuple[str, ...] = ()  # models of the same server, tried in order when the one before cannot be reached
    context_tokens: int | None = Field(default=None, ge=500)
    """What the model takes; without it, it is given as many rows as `policy.transcript_window`."""
    answer_tokens: int | None = Field(default=None, ge=1)  # longest answer; else the server's own limit
    temperature: float | None = Field(default=None, ge=0)  # how freely it answers; else as the server has it
    effort: str | None = None  # how long it reasons, such as low; else as the server has it
    images: bool = True  # images are shown to the model; else it is told their names
    image_bytes_max: int = Field(default=IMAGE_BYTES_MAX, ge=0)  # largest file that is sent as an image
    ask_user: bool = True  # the model may ask its user something
    price_in: float = Field(default=0.0, ge=0)  # price of a million tokens that it reads, as `policy.cost_max` counts
    price_out: float = Field(default=0.0, ge=0)  # price of a million tokens that it writes, as `policy.cost_max` counts
    timeout_s: float = Field(default=120.0, gt=0)  # the longest silence of a server that was reached
    retries: int = Field(default=2, ge=0, le=10)
    """How often one request is tried again at once; what takes longer is put off."""
    extra: dict[str, Any] = Field(default_factory=dict)  # more fields of each request, as the server knows them

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if self.key is None and self.base_url is None:
            raise ValueError("key: OpenAI needs one, such as 'env:OPENAI_API_KEY'; or name a base_url of your own")
        return self
