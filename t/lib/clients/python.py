# SPDX-License-Identifier: MIT
"""A client with the library websockets that does what the lines of its input
say, each [word, argument], and answers each with a line. t/50-live-clients.t
drives it, and node.js with the same words."""

import asyncio
import json
import sys

import websockets

socket = None


async def connect(how):
    global socket
    try:
        socket = await websockets.connect(
            how["url"],
            origin=how.get("origin"),
            compression="deflate" if how["deflate"] else None,
            ping_interval=None)
    except websockets.InvalidStatusCode as refusal:
        return {"status": refusal.status_code}
    return {
        "status": 101,
        "agreed": socket.response_headers.get("Sec-WebSocket-Extensions", ""),
    }


async def say(what):
    text, parts = what["text"], what["parts"]
    most = -(-len(text) // parts)
    pieces = [text[at:at + most] for at in range(0, len(text), most)]
    await socket.send(text if parts == 1 else pieces)
    return True


async def hear(kind):
    try:
        async for text in socket:
            message = json.loads(text)
            if message["type"] == kind:
                return message
    except websockets.ConnectionClosed:
        pass
    return None


async def ping(payload):
    await (await socket.ping(payload))
    return payload


async def leave(code):
    await socket.close(code, "enough")
    return await closed(None)


async def closed(_):
    await socket.wait_closed()
    return {"code": socket.close_code, "reason": socket.close_reason}


async def is_open(_):
    return socket.open


async def main():
    words = {word.__name__: word
             for word in (connect, say, hear, ping, leave, closed, is_open)}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, argument = json.loads(line)
        print(json.dumps(await words[word](argument)), flush=True)


asyncio.run(main())
