"""The same app as an ordinary handler: Mangum calls it and gives back the whole answer."""

from main import app
from mangum import Mangum

handler = Mangum(app, lifespan="off")
