"""uvicorn with sse-starlette, or with FastAPI's own event streams: a queue per subscriber.

Takes `sse-starlette` or `fastapi` and its keep-alive in seconds; says where it listens, then takes commands from standard
input (see benches/fanout/control.rs) until that ends.
"""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator

import uvicorn

KIND, KEEP_ALIVE = sys.argv[1], float(sys.argv[2])
CAPACITY = 1024

subscribers: set[asyncio.Queue[str]] = set()


def subscribe() -> asyncio.Queue[str]:
    queue: asyncio.Queue[str] = asyncio.Queue(CAPACITY)
    subscribers.add(queue)
    return queue


def publish(text: str) -> None:
    for queue in subscribers:
        try:
            queue.put_nowait(text)
        except asyncio.QueueFull:
            pass  # This subscriber has fallen behind: the event is lost for it.


def sse_starlette_app():
    from sse_starlette.sse import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def stream(queue: asyncio.Queue[str]):
        try:
            while True:
                yield {"data": await queue.get()}
        finally:
            subscribers.discard(queue)

    async def events(_request):
        return EventSourceResponse(stream(subscribe()), ping=KEEP_ALIVE)

    return Starlette(routes=[Route("/events", events)])


def fastapi_app():
    from fastapi import Depends, FastAPI, routing
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    # The interval is not a setting, but FastAPI's own tests change it like this.
    routing._PING_INTERVAL = KEEP_ALIVE
    app = FastAPI()

    async def subscription():
        # Before the head is sent: the stream itself begins only after it.
        queue = subscribe()
        yield queue
        subscribers.discard(queue)

    @app.get("/events", response_class=EventSourceResponse)
    async def events(queue=Depends(subscription)) -> AsyncIterator[ServerSentEvent]:
        while True:
            yield ServerSentEvent(raw_data=await queue.get())

    return app


def text(size: int) -> str:
    return ("The quick brown fox jumps over the lazy dog. " * size)[: size - 1] + "~"


async def bursts(size: int, burst: int, pause_micros: int, count: int) -> int:
    event = text(size)
    for left in range(count, 0, -1):
        for _ in range(burst):
            publish(event)
        if left > 1:
            await asyncio.sleep(pause_micros / 1e6)
    return burst * count


async def paced(size: int, rate: int, millis: int) -> int:
    event = text(size)
    begun = time.monotonic()
    published = 0
    while True:
        elapsed = (time.monotonic() - begun) * 1000
        due = int(min(elapsed, millis) * rate / 1000)
        while published < due and time.monotonic() - begun < millis * 1.5 / 1000:
            publish(event)
            published += 1
        if published >= rate * millis / 1000 or elapsed > millis * 1.5:
            return published
        await asyncio.sleep(0.001)


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    app = {"sse-starlette": sse_starlette_app, "fastapi": fastapi_app}[KIND]()
    config = uvicorn.Config(app, access_log=False, log_level="warning", loop="uvloop", http="httptools")
    serving = asyncio.create_task(uvicorn.Server(config).serve([listener]))
    print("%s:%d" % listener.getsockname(), flush=True)

    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        os._exit(0)  # There is nothing to hand over to anybody.

    threading.Thread(target=read, daemon=True).start()
    while not serving.done():
        kind, *numbers = (await lines.get()).split()
        published = await {"bursts": bursts, "paced": paced}[kind](*map(int, numbers))
        print(f"published {published}", flush=True)


uvicorn_loop = uvicorn.Config(None, loop="uvloop")
with asyncio.Runner(loop_factory=uvicorn_loop.get_loop_factory()) as runner:
    runner.run(main())
