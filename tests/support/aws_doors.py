"""A site with its AWS-compatible port and its key file, and what AWS's clients are given to find them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.clients import plain_variables
from support.clients_site import Site, make_site, serving
from support.gate import Gate

REGION = "us-east-1"
# In the key file. A slash and a plus are in real ones as well.
KEY = ("AKIAPENSTOCKTESTS234", "secret/of+the/tests/0123456789/abcdefghi")
# A key that is in no file, of AWS's documentation: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html
STRANGER = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
CORS: dict[str, object] = {
    "AllowOrigins": ["*"],
    "AllowMethods": ["GET", "PUT"],
    "AllowHeaders": ["x-word", "content-type"],
    "ExposeHeaders": ["x-amzn-requestid"],
    "MaxAge": 60,
}
# Logical ids are these and the mode: `Buffered`, `SignedStreaming`, `SharedStreaming`...
URL_CONFIGS: dict[str, dict[str, object]] = {"": {}, "Signed": {"AuthType": "AWS_IAM"}, "Shared": {"Cors": CORS}}


@dataclass(frozen=True)
class Doors:
    """`endpoint` is the AWS-compatible port's address, `keys` the file of its keys."""

    site: Site
    endpoint: str
    keys: Path
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def variables(self, **more: str) -> dict[str, str]:
        """For an AWS client that is told where to go and whose key to take by its environment alone."""
        return plain_variables(
            AWS_ENDPOINT_URL=self.endpoint,
            AWS_SHARED_CREDENTIALS_FILE=str(self.keys),
            AWS_CONFIG_FILE="/dev/null",
            AWS_REGION=REGION,
            AWS_DEFAULT_REGION=REGION,  # the name that the AWS CLI and boto3 know
            AWS_EC2_METADATA_DISABLED="true",
            **more,
        )


@contextmanager
def open_doors(folder: Path, cache: Path, gate: Gate) -> Iterator[Doors]:
    project = make_site(folder, gate, URL_CONFIGS)
    access_key_id, secret_access_key = KEY
    keys = folder / "credentials"
    keys.write_text(f"[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret_access_key}\n")
    keys.chmod(0o600)
    with serving(project, cache, "--aws-port", "0", "--keys", str(keys)) as site:
        ready: Mapping[str, object] = site.up.wait_for("ready")
        yield Doors(site, str(ready["awsEndpoint"]).rstrip("/"), keys, access_key_id, secret_access_key)
        assert not site.up.said("environment", state="died")


def event(do: str, name: str) -> str:
    """A payload that the app behind `Buffered` and `Streaming` acts on."""
    return json.dumps({"do": do, "name": name})


def split_stream(answer: bytes) -> tuple[int, bytes]:
    """The status in the prelude of a streamed answer, and its body."""
    prelude, body = answer.split(bytes(8), 1)
    return json.loads(prelude)["statusCode"], body
