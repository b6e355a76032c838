"""Find out whether an LLM server's metrics endpoints tell the truth."""

__version__ = "0.1.0"
