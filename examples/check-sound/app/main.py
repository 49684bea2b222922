"""Greets whoever asks, and is safe for any number of requests at once.

Modules may hold what belongs to nobody: a counter, a cache, a list of who came last. What belongs to one request is in
its arguments, and in a ContextVar where functions further down want it.
"""

import asyncio
from collections import deque
from contextvars import ContextVar

from fastapi import FastAPI

app = FastAPI()

greetings: dict[str, str] = {}
recent_users: deque[str] = deque(maxlen=20)
requests_served = 0

current_user: ContextVar[str] = ContextVar("current_user")


@app.get("/hello")
async def hello(user: str, language: str = "en") -> dict[str, str]:
    global requests_served
    requests_served += 1
    recent_users.append(user)
    current_user.set(user)
    return {"message": await greet(language)}


async def greet(language: str) -> str:
    if language not in greetings:
        greetings[language] = await look_up_greeting(language)
    else:
        await asyncio.sleep(0.02)  # whatever else a request waits for
    return f"{greetings[language]}, {current_user.get()}!"


async def look_up_greeting(language: str) -> str:
    await asyncio.sleep(0.02)  # a database, for one
    return {"de": "Hallo", "fr": "Bonjour"}.get(language, "Hello")
