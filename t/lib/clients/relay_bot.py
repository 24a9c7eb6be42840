# SPDX-License-Identifier: MIT
"""The bot of a chat, as one was written for the server of before: it knows no
numbers, no keys and no second answer. t/45-picker-clients.t runs it.

    relay_bot.py URL KEY NAME

It tells what it understands, a line each, and `wrong` where it would have
stumbled."""

import asyncio
import datetime
import http.client
import json
import sys

import websockets

url, key, name = sys.argv[1:]
token = None


def tell(*words):
    print(*words, flush=True)


def ask(method, path, body=None):
    door = http.client.HTTPConnection(url.split("/")[2], timeout=20)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    door.request(method, path, body and json.dumps(body), headers)
    answer = door.getresponse()
    return answer.status, json.loads(answer.read())


def sign_in():
    global token
    token = None
    status, said = ask("POST", "/api/auth/login", {"key": key})
    if status == 200 and said["message"] == "Authentication successful":
        token = said["token"]
        return True
    return False


def vote(way):
    now = datetime.datetime.utcnow().isoformat(timespec="milliseconds") + "Z"
    status, said = ask("POST", "/api/votes/live",
                       {"username": name, "vote": way, "timestamp": now})
    if status == 200:
        if said["vote"] != {"username": name, "type": way, "timestamp": now}:
            tell("wrong vote", said)
        tell("voted", said["game"]["title"])
    else:
        tell("not voted", status, said["error"])


def tally():
    """What the chat's command !votes shows."""
    _, session = ask("GET", "/api/sessions/active")
    _, games = ask("GET", f"/api/sessions/{session['id']}/games")
    playing = [game for game in games if game["status"] == "playing"]
    _, here = ask("GET", f"/api/sessions/{session['id']}/votes")
    _, game = ask("GET", f"/api/games/{playing[0]['game_id']}")
    mine = [one for one in here["votes"] if one["game_id"] == game["id"]][0]
    tell("tally", game["title"], mine["net_score"], game["popularity_score"])


async def hear(socket, message):
    kind, data = message["type"], message.get("data")
    if kind == "auth_success":
        _, active = ask("GET", "/api/sessions/active")
        if "session" in active:
            tell("nothing", active["session"], active["message"])
        else:
            await socket.send(json.dumps(
                {"type": "subscribe", "sessionId": active["id"]}))
    elif kind == "auth_error":
        tell("refused", message["message"])
    elif kind == "session.started":
        if data["session"]["is_active"] != 1:
            tell("wrong session", data)
        tell("started", data["session"]["id"], data["session"]["notes"])
        await socket.send(json.dumps(
            {"type": "subscribe", "sessionId": data["session"]["id"]}))
    elif kind == "subscribed":
        tell("subscribed", message["message"])
        await socket.send('{"type":"ping"}')
    elif kind == "pong":
        tell("pong")
    elif kind == "game.added":
        if data["session"]["is_active"] is not True:
            tell("wrong game", data)
        tell("added", data["game"]["title"], data["game"].get("room_code"))
        vote("up")
        vote("up")
        tally()
    elif kind == "vote.received":
        tell("heard", data["vote"]["username"], data["vote"]["type"],
             data["totals"]["upvotes"])
    elif kind == "voting.ended":
        tell("winner", data["winnerLabel"], data["winnerVotes"])
    elif kind == "session.ended":
        tell("ended", data["session"]["id"], data["session"]["is_active"],
             data["session"]["games_played"])


async def main():
    while True:
        try:
            if sign_in():
                async with websockets.connect(
                        url.replace("http", "ws")
                        + "/api/sessions/live") as socket:
                    await socket.send(json.dumps(
                        {"type": "auth", "token": token}))
                    async for text in socket:
                        await hear(socket, json.loads(text))
        except (OSError, http.client.HTTPException, ValueError,
                websockets.WebSocketException):
            pass
        tell("away")
        await asyncio.sleep(0.1)


asyncio.run(main())
