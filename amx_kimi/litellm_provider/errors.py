"""Our errors as LiteLLM's exception types, by which its users and its Router decide."""

from typing import Any

from litellm import exceptions as theirs

from amx_kimi import errors as ours

__all__ = ["as_litellm"]

# Most specific first. Without a status: connection errors. A used-up balance is no rate limit:
# as 402 it is not retried.
_TYPES = (
    (ours.MissingKeyError, theirs.AuthenticationError),
    (ours.AuthenticationError, theirs.AuthenticationError),
    (ours.AccessError, theirs.PermissionDeniedError),
    (ours.ModelNotFoundError, theirs.NotFoundError),
    (ours.ContextError, theirs.ContextWindowExceededError),
    (ours.ContentFilterError, theirs.ContentPolicyViolationError),
    (ours.BadRequestError, theirs.BadRequestError),
    (ours.RateLimitError, theirs.RateLimitError),
    (ours.OverloadedError, theirs.ServiceUnavailableError),
    (ours.ServerError, theirs.InternalServerError),
    (ours.SilenceError, theirs.Timeout),
    (ours.TransportError, theirs.APIConnectionError),
    (ours.ConfigError, theirs.BadRequestError),
)


def as_litellm(error: ours.KimiError, model: str) -> Exception:
    """LiteLLM's exception for `error`, with its message and remedy."""
    import httpx

    if isinstance(error, ours.QuotaError):
        return theirs.APIError(402, str(error), "kimi", model)
    kind: Any = next((kind for known, kind in _TYPES if isinstance(error, known)), None)
    if kind is None:
        return theirs.APIError(getattr(error, "status", 500), str(error), "kimi", model)
    if kind is theirs.PermissionDeniedError:
        request = httpx.Request("POST", "https://kimi.invalid")
        response = httpx.Response(403, request=request)
        return theirs.PermissionDeniedError(str(error), "kimi", model, response)
    converted: Exception = kind(message=str(error), llm_provider="kimi", model=model)
    return converted
