"""Anthropic's own client for Python. Arguments: the base URL, and what to do, one after the other;
prints one JSON value a line."""

import json
import sys

import anthropic

_, base_url, *what = sys.argv
client = anthropic.Anthropic(base_url=base_url, api_key="sk-parrot", max_retries=0)


def show(value):
    print(json.dumps(value))


def ask(content, **rest):
    return {"model": "parrot", "max_tokens": 10_000, "messages": [{"role": "user", "content": content}], **rest}


def streaming():
    for event in client.messages.create(**ask("Who is there?", stream=True)):
        show(event.model_dump(exclude_unset=True))


def whole():
    message = client.messages.create(**ask("Who is there?"))
    show({**message.model_dump(exclude_unset=True), "request_id": message._request_id})


def helper():
    with client.messages.stream(**ask("Who is there?")) as stream:
        for event in stream:
            if event.type == "text":
                show([event.type, event.text, event.snapshot])
            elif event.type == "content_block_stop":
                show([event.type, event.content_block.text])
        message = stream.get_final_message()
        show([message.stop_reason, message.content[0].text, message.usage.output_tokens])
        show({"request_id": stream.request_id})


def leave():
    with client.messages.stream(**ask("word " * 1000)) as stream:
        for received, _ in enumerate(stream.text_stream, 1):
            if received == 3:
                break
    show(received)


def failure(attempt):
    try:
        attempt()
    except anthropic.APIStatusError as error:
        show([type(error).__name__, error.status_code, error.body, error.request_id])
    else:
        raise AssertionError("no error")


def errors():
    create = client.messages.create
    failure(lambda: client.with_options(api_key="sk-other").messages.create(**ask("hello", stream=True)))
    failure(lambda: create(**{**ask("hello"), "model": "other"}))
    failure(lambda: create(**{**ask("hello"), "messages": []}))
    tired = {**ask("one two three four"), "model": "parrot-tired"}
    failure(lambda: create(**tired))
    failure(lambda: list(create(**tired, stream=True)))


cases = {"streaming": streaming, "whole": whole, "helper": helper, "leave": leave, "errors": errors}
for case in what:
    cases[case]()
