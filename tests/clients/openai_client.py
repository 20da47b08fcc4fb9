"""OpenAI's own client for Python. Arguments: the base URL, and what to do, one after the other;
prints one JSON value a line."""

import json
import sys

import openai

_, base_url, *what = sys.argv
client = openai.OpenAI(base_url=base_url, api_key="sk-parrot", max_retries=0)


def show(value):
    print(json.dumps(value))


def ask(content, **rest):
    return {"model": "parrot", "messages": [{"role": "user", "content": content}], **rest}


def streaming():
    request = ask("Who is there?", stream=True, stream_options={"include_usage": True})
    for chunk in client.chat.completions.create(**request):
        show(chunk.model_dump(exclude_unset=True))


def whole():
    show(client.chat.completions.create(**ask("Who is there?")).model_dump(exclude_unset=True))


def helper():
    with client.chat.completions.stream(**ask("Who is there?")) as stream:
        for event in stream:
            if event.type == "content.delta":
                show([event.type, event.delta, event.snapshot])
            elif event.type == "content.done":
                show([event.type, event.content])
        choice = stream.get_final_completion().choices[0]
    show([choice.finish_reason, choice.message.role, choice.message.content])


def leave():
    with client.chat.completions.create(**ask("word " * 1000, stream=True)) as stream:
        for received, _ in enumerate(stream):
            if received == 3:
                break
    show(received)


def failure(attempt):
    try:
        attempt()
    except openai.APIError as error:
        status = getattr(error, "status_code", None)
        show([type(error).__name__, status, error.type, error.code, error.param, error.message])
    else:
        raise AssertionError("no error")


def errors():
    create = client.chat.completions.create
    failure(lambda: client.with_options(api_key="sk-other").chat.completions.create(**ask("hello", stream=True)))
    failure(lambda: create(**{**ask("hello"), "model": "gpt-9"}))
    failure(lambda: create(model="parrot", messages=[]))
    tired = {**ask("one two three four"), "model": "parrot-tired"}
    failure(lambda: create(**tired))
    failure(lambda: list(create(**tired, stream=True)))


cases = {"streaming": streaming, "whole": whole, "helper": helper, "leave": leave, "errors": errors}
for case in what:
    cases[case]()
