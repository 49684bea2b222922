"""The same app as an ordinary handler: Mangum calls it and gives back the whole answer."""

from main import app  # type: ignore[import-not-found]  # the module beside it, in its folder alone
from mangum import Mangum

handler = Mangum(app, lifespan="off")
