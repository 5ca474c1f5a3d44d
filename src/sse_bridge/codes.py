"""What a failure may be called, by us, by HTTP, by services and by the libraries that speak to them."""

from __future__ import annotations

# The status of each code, and whether a retry may succeed.
CODES = {
    "rate_limited": (429, True),
    "overloaded": (503, True),
    "upstream_timeout": (504, True),
    "upstream_unreachable": (502, True),
    "credentials_refused": (502, False),
    "bad_request": (502, False),
    "context_too_long": (400, False),
    "content_filtered": (400, False),
    "upstream_error": (502, True),
    "empty_answer": (502, True),
    "upstream_cut": (502, True),
    "upstream_stalled": (504, True),
    "max_duration": (504, False),
    "shutdown": (503, True),
    "serialization_error": (500, False),
}

BY_STATUS = {
    401: "credentials_refused",
    402: "credentials_refused",
    403: "credentials_refused",
    407: "credentials_refused",
    408: "upstream_timeout",
    429: "rate_limited",
    503: "overloaded",
    504: "upstream_timeout",
    524: "upstream_timeout",
    529: "overloaded",
}

# What services send in `code`, `type` and `status`, without case and punctuation. The first match decides: these...
CLOSER_WORDS = {
    "contextlength": "context_too_long",
    "contextwindow": "context_too_long",
    "contextsize": "context_too_long",
    "toolong": "context_too_long",
    "contentfilter": "content_filtered",
    "contentpolicy": "content_filtered",
    "datainspection": "content_filtered",
    "moderation": "content_filtered",
    "sensitive": "content_filtered",
    "apikeyinvalid": "credentials_refused",
}
# ... are more precise than a status, and these are used only where there is no status.
WORDS = {
    "ratelimit": "rate_limited",
    "throttl": "rate_limited",
    "toomanyrequests": "rate_limited",
    "resourceexhausted": "rate_limited",
    "quota": "rate_limited",
    "overloaded": "overloaded",
    "unavailable": "overloaded",
    "timeout": "upstream_timeout",
    "deadline": "upstream_timeout",
    "authentication": "credentials_refused",
    "authfail": "credentials_refused",
    "unauthenticated": "credentials_refused",
    "unauthorized": "credentials_refused",
    "permission": "credentials_refused",
    "accessdenied": "credentials_refused",
    "apikey": "credentials_refused",
    "arrearage": "credentials_refused",
    "balance": "credentials_refused",
    "invalid": "bad_request",
    "badrequest": "bad_request",
    "notfound": "bad_request",
    "notexist": "bad_request",
    "validationexception": "bad_request",
    "toolarge": "bad_request",
    "internal": "upstream_error",
    "responseerror": "upstream_error",
}
SPENT = ("insufficientquota", "quotaexceeded", "currentquota", "billing")  # waiting does not help

# The packages whose errors are a service's, and whose objects are what came over the wire.
SDKS = frozenset(
    {
        *("anthropic", "botocore", "cerebras", "cohere", "dashscope", "google", "groq", "grpc"),
        *("huggingface_hub", "litellm", "mistralai", "ollama", "openai", "pydantic_ai", "together"),
    }
)

# Names of classes, of the error's own and of those that it stands on; httpx's, requests', aiohttp's, urllib's ...
TIMEOUTS = frozenset(
    {"TimeoutError", "TimeoutException", "Timeout", "APITimeoutError", "ModelTimeoutError"}
)
LOST = frozenset(
    {
        "APIConnectionError",
        "ConnectionError",
        "ClientConnectionError",
        "ClientPayloadError",
        "ChunkedEncodingError",
        "IncompleteRead",
        "ModelConnectionError",
        "ProtocolError",
        "RequestError",
        "TransportError",
        "URLError",
    }
)
