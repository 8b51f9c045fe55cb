"""The assistant for other programs: an OpenAI-compatible server."""

from .server import AssistantServer, Limits, Settings, serve

__all__ = ["AssistantServer", "Limits", "Settings", "serve"]
