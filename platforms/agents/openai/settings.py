"""What can be set of a model behind OpenAI's API, or one that is compatible: the table `[agent.openai]`."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from greenroom.platforms.agents.settings import AgentSettings
from greenroom.platforms.chats.secret import Secret

IMAGE_BYTES_MAX = 5_000_000
"""Largest file that is sent to a model as an image."""


class OpenAISettings(AgentSettings):
    """`base_url` names any server that speaks the same: Ollama, vLLM, llama.cpp, OpenRouter. Prices are per million."""

    model: str = Field(min_length=1)
    api: Literal["chat", "responses"] = "chat"
    base_url: str | None = Field(default=None, pattern="^https?://")  # None: OpenAI's own
    key: Secret | None = None  # read anew for each request; a server of one's own mostly needs none
    system: str = ""  # what the model is told before all else
    fallbacks: tuple[str, ...] = ()  # models of the same server, tried in order when the one before cannot be reached
    context_tokens: int | None = Field(default=None, ge=500)  # what the model takes; None: the host's window of rows
    answer_tokens: int | None = Field(default=None, ge=1)  # longest answer; None: the server's own limit
    temperature: float | None = Field(default=None, ge=0)
    effort: str | None = None  # how long it reasons, such as low; None: the server's own
    images: bool = True  # images are shown to the model; else it is told their names
    image_bytes_max: int = Field(default=IMAGE_BYTES_MAX, ge=0)
    ask_user: bool = True  # the model may ask its user something
    price_in: float = Field(default=0.0, ge=0)
    price_out: float = Field(default=0.0, ge=0)
    timeout_s: float = Field(default=120.0, gt=0)  # of silence, of a server that was reached
    retries: int = Field(default=2, ge=0, le=10)  # of one request at once; what takes longer is put off
    extra: dict[str, Any] = Field(default_factory=dict)  # more fields of each request, as the server knows them

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if self.key is None and self.base_url is None:
            raise ValueError("key: OpenAI needs one, such as 'env:OPENAI_API_KEY'; or name a base_url of your own")
        return self
