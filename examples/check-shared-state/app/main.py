"""Greets whoever asks, with a fault that one request at a time never shows.

`current_user` is one variable for all requests. While a request waits for its greeting, another one sets it anew, and
the first one then answers with a name that is not its own.
"""

import asyncio

from fastapi import FastAPI

app = FastAPI()

current_user = "nobody"


@app.get("/hello")
async def hello(user: str) -> dict[str, str]:
    global current_user
    current_user = user
    greeting = await look_up_greeting()
    return {"message": f"{greeting}, {current_user}!"}


async def look_up_greeting() -> str:
    await asyncio.sleep(0.02)  # a database, for one
    return "Hello"
