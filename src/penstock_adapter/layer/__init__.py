"""What the layer holds besides this package and its wheels; `penstock layer build` puts the parts in their places.

| in this folder        | in the layer                     | what it is                                               |
|-----------------------|----------------------------------|----------------------------------------------------------|
| `penstock`            | `/opt/penstock`                  | exec wrapper of in-process mode, runs `start.py`         |
| `bootstrap`           | `/opt/bootstrap`                 | exec wrapper of proxy mode, runs the handler file        |
| `lambda-adapter`      | `/opt/extensions/lambda-adapter` | runs `extension.py`: the proxy, or nothing but its place |
| `penstock_uvicorn.py` | `found/` beside this file        | what UVICORN_LOOP names, with PENSTOCK_UVICORN_HOOK=1    |

With PENSTOCK_UVICORN_HOOK=1 both wrappers run the handler file, by way of `handler_file.py`. This package itself is in
`/opt/python`, wheels in `/opt/python/lib/python3.x/site-packages`.
"""
