"""Who may call: access keys and certificates, made when a flag or the template asks for them."""

import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from penstock.cli.certificate import load_certificate
from penstock.cli.keys import load_keys, make_keys, usage_line
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.model.function import AuthType, Function
from penstock.wire.sigv4 import Verifier

SERVICE = "lambda"


def must_sign(settings: PlatformSettings) -> bool:
    """Whether the AWS API takes signed requests alone: when keys were given, and always beyond this machine."""
    return settings.keys is not None or not _is_loopback(settings.host)


def make_verifier(
    functions: Iterable[Function], region: str, account_id: str, settings: PlatformSettings, reporter: Reporter
) -> Verifier | None:
    """Knows the keys of `--keys`, or of a file made for this project; None where nobody has to sign.

    Raises UserError for a key file that cannot be used.
    """
    signed_url = any(function.url and function.url.auth_type is AuthType.AWS_IAM for function in functions)
    if not (signed_url or (settings.aws_port is not None and must_sign(settings))):
        return None
    path = settings.keys or default_keys(settings)
    if settings.keys is None:
        make_keys(path)
    keys = load_keys(path, account_id, region)
    reporter.info(usage_line(path, region))
    return Verifier(keys, service=SERVICE, region=region)


def default_keys(settings: PlatformSettings) -> Path:
    """One key file for all stacks of a project."""
    return settings.state.parent / "credentials"


def make_tls(region: str, settings: PlatformSettings, reporter: Reporter) -> ssl.SSLContext | None:
    """For `--https`: a certificate of an authority that is made once for this user, so that it can be trusted once."""
    if not settings.https:
        return None
    names = dict.fromkeys(("localhost", "127.0.0.1", "::1", f"*.lambda-url.{region}.localhost", settings.host))
    certificate = load_certificate(settings.cache / "https", tuple(names))
    reporter.info(f"The certificate is signed by an authority of your own: curl --cacert {certificate.ca}")
    return certificate.context


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
