"""One call with a client of OpenAI's or Anthropic's for Python, as its user makes it.

    quick.py CASE

GATEWAY_URL, PLATFORM_KEY, OPENAI_KEY and ANTHROPIC_KEY are in the environment. Prints what the call
came to as one line of JSON: {"text", "job"} or {"error", "status", "code"}.
"""

import json
import os
import sys

import anthropic
import openai

URL = os.environ["GATEWAY_URL"]
MESSAGES = [{"role": "user", "content": "Hello"}]


def openai_client(**more):
    return openai.OpenAI(
        base_url=f"{URL}/openai/v1",
        default_headers={"X-User-API-Key": os.environ["OPENAI_KEY"]},
        **{"api_key": os.environ["PLATFORM_KEY"], **more},
    )


def anthropic_client(**more):
    return anthropic.Anthropic(
        base_url=f"{URL}/anthropic",
        default_headers={"X-User-API-Key": os.environ["ANTHROPIC_KEY"]},
        **{"api_key": os.environ["PLATFORM_KEY"], **more},
    )


def chat(client):
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=MESSAGES)
    return raw.parse().choices[0].message.content, raw.headers.get("x-gateway-job-id")


def message(client):
    raw = client.messages.with_raw_response.create(
        model="claude-opus-4-8", max_tokens=10, messages=MESSAGES
    )
    return raw.parse().content[0].text, raw.headers.get("x-gateway-job-id")


CASES = {
    "openai": lambda: chat(openai_client()),
    "openai-impatient": lambda: chat(openai_client(timeout=0.5)),
    "openai-wrong-key": lambda: chat(openai_client(api_key="nobody-0123456789abcdef")),
    "anthropic": lambda: message(anthropic_client()),
    "anthropic-impatient": lambda: message(anthropic_client(timeout=0.5)),
    "anthropic-wrong-key": lambda: message(anthropic_client(api_key="nobody-0123456789abcdef")),
}


def code_in(error):
    """OpenAI's client opens the error's object, Anthropic's gives the whole body."""
    body = error.body if isinstance(error.body, dict) else {}
    return body.get("error", body).get("code")


try:
    text, job = CASES[sys.argv[1]]()
    print(json.dumps({"text": text, "job": job}))
except (openai.APIStatusError, anthropic.APIStatusError) as error:
    print(
        json.dumps(
            {"error": type(error).__name__, "status": error.status_code, "code": code_in(error)}
        )
    )
