"""What only the tests with real clients need, fetched once into a cache outside the repository.

`python tools/clients.py` fetches all of it, or what is named behind `fetch`, and ends well even where that is not
possible: those tests are skipped then. `python tools/clients.py where [NAME]` prints the path of one, by default of the
Lambda Web Adapter's binary. Otherwise one line says why there is none, with exit code 1, or 2 when a variable names
something that cannot be it.

PENSTOCK_LWA, PENSTOCK_CHROMIUM: a binary to use instead. PENSTOCK_CLIENTS: the cache; `penstock/clients` in the user's
cache by default.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("fetching", run_name="__main__")
