"""`penstock check`: whether an app is safe for many requests at once, and for how many.

A function is driven at rising numbers of requests at a time (`run.py`). What is measured is apart from what is made of
it, which is pure (`verdict.py` and what it calls). The folder `inside/` is code for the environment.
"""
