"""Regions and their Availability Zones."""

import json
from functools import lru_cache
from importlib import resources
from typing import Any, Final

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html: us-east-1 has six zones.
# How many of the others an account sees differs; three are in each of them at least (assumed of Regions to come).
_ZONES: Final = {"us-east-1": "abcdef"}
_ZONES_ELSEWHERE: Final = "abc"
# https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html: those an account has without asking.
_ENABLED: Final = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)
_DIRECTIONS: Final = {"north": "n", "south": "s", "east": "e", "west": "w", "central": "c"}


def zone_names(region: str) -> list[str]:
    return [region + letter for letter in _ZONES.get(region, _ZONES_ELSEWHERE)]


def zone_id(zone: str) -> str:
    """`use1-az1` of `us-east-1a`. On AWS which name is which id differs between accounts.
    https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html
    """
    region, letter = zone[:-1], zone[-1]
    *area, direction, number = ["", "", *region.split("-")]  # a client may name a Region that is none
    short = "".join(area).replace("gov", "g") + (_short(direction) or direction) + number
    return f"{short}-az{ord(letter) - ord('a') + 1}"


def _short(direction: str) -> str:
    """`se` of `southeast`."""
    for name, letter in _DIRECTIONS.items():
        if direction.startswith(name):
            return letter + _short(direction.removeprefix(name))
    return ""


def zone(name: str) -> dict[str, Any]:
    region = name[:-1]
    return {
        "ZoneName": name,
        "ZoneId": zone_id(name),
        "RegionName": region,
        "State": "available",
        "OptInStatus": "opt-in-not-required",
        "Messages": [],
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AvailabilityZone.html
        "GroupName": f"{region}-zg-1",
        "NetworkBorderGroup": region,
        "ZoneType": "availability-zone",
    }


def regions(here: str) -> list[dict[str, Any]]:
    """All there are, by name. The one that is in use is opted in."""
    return [
        {
            "RegionName": name,
            "Endpoint": f"ec2.{name}.amazonaws.com",
            "OptInStatus": _opt_in(name, here),
        }
        for name in sorted({*_known_regions(), here})
    ]


def _opt_in(region: str, here: str) -> str:
    if region in _ENABLED:
        return "opt-in-not-required"
    return "opted-in" if region == here else "not-opted-in"


@lru_cache(1)
def _known_regions() -> tuple[str, ...]:
    """Of AWS's main partition, as botocore lists them."""
    text = resources.files("botocore").joinpath("data/partitions.json").read_text("utf-8")
    main = next(one for one in json.loads(text)["partitions"] if one["id"] == "aws")
    return tuple(name for name in main["regions"] if not name.endswith("global"))
