"""ListObjectsV2, ListObjects and ListObjectVersions."""

import base64
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from penstock.aws_api.s3.checksums import algorithms, type_of
from penstock.aws_api.s3.errors import invalid_argument
from penstock.aws_api.s3.rows import ObjectVersion
from penstock.aws_api.s3.state import S3State, owner
from penstock.aws_api.s3.walk import Asked, Group, Keyed, asked, echoes, walk
from penstock.aws_api.service import Answer, Call, Operation


class ListOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "ListObjectsV2": self.list_v2,
            "ListObjects": self.list_v1,
            "ListObjectVersions": self.list_versions,
        }

    def list_v2(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
        params, bucket = call.params, self._state.bucket(call)
        wanted = asked(dict(params), "MaxKeys")
        token, start = params.get("ContinuationToken"), params.get("StartAfter")
        after = wanted.beyond(_place_of(token) if token is not None else start or "")
        found, more = self._page(call, wanted, after)
        shown_owner = owner(bucket["account"]) if params.get("FetchOwner") else None
        answer = _contents(found, wanted, shown_owner)
        answer |= {"Name": params["Bucket"], "MaxKeys": wanted.most, "KeyCount": len(found), "IsTruncated": more}
        answer |= {"Prefix": wanted.told(wanted.prefix)}
        answer |= echoes(wanted, Delimiter=wanted.delimiter, StartAfter=start)
        if token is not None:
            answer["ContinuationToken"] = token
        if more:
            answer["NextContinuationToken"] = _token_of(_name(found[-1]))
        return answer

    def list_v1(self, call: Call) -> Answer:
        """NextMarker is told with a delimiter alone: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html."""
        params, bucket = call.params, self._state.bucket(call)
        wanted = asked(dict(params), "MaxKeys")
        marker = params.get("Marker") or ""
        found, more = self._page(call, wanted, wanted.beyond(marker))
        answer = _contents(found, wanted, owner(bucket["account"]))
        answer |= {"Name": params["Bucket"], "MaxKeys": wanted.most, "IsTruncated": more}
        answer |= {"Prefix": wanted.told(wanted.prefix), "Marker": wanted.told(marker)}
        answer |= echoes(wanted, Delimiter=wanted.delimiter)
        if more and wanted.delimiter:
            answer["NextMarker"] = wanted.told(_name(found[-1]))
        return answer

    def list_versions(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html"""
        params, bucket = call.params, self._state.bucket(call)
        wanted = asked(dict(params), "MaxKeys")
        marker, version_marker = params.get("KeyMarker") or "", params.get("VersionIdMarker")
        if version_marker is not None and not marker:
            text = "A version-id marker cannot be specified without a key marker."
            raise invalid_argument(text, "version-id-marker", version_marker)
        entries = self._all_versions(params["Bucket"], wanted, marker, version_marker)
        found = list(islice(entries, wanted.most + 1)) if wanted.most else []
        answer: Answer = {"Name": params["Bucket"], "MaxKeys": wanted.most, "IsTruncated": len(found) > wanted.most}
        answer |= _versions_told(found[: wanted.most], wanted, owner(bucket["account"]))
        answer |= {"Prefix": wanted.told(wanted.prefix), "KeyMarker": wanted.told(marker)}
        answer["VersionIdMarker"] = version_marker or ""
        answer |= echoes(wanted, Delimiter=wanted.delimiter)
        if answer["IsTruncated"]:
            last = found[wanted.most - 1]
            answer["NextKeyMarker"] = wanted.told(last.prefix if isinstance(last, Group) else last[0])
            if not isinstance(last, Group):
                answer["NextVersionIdMarker"] = last[1].version_id
        return answer

    def _page(self, call: Call, wanted: Asked, after: str) -> tuple[list[Keyed | Group], bool]:
        """At most as many as are wanted, and whether there are more."""
        if not wanted.most:
            return [], False
        objects = self._state.objects(call.params["Bucket"])
        found = list(islice(walk(objects, wanted, after, _is_current), wanted.most + 1))
        return found[: wanted.most], len(found) > wanted.most

    def _all_versions(
        self, bucket: str, wanted: Asked, marker: str, version_marker: str | None
    ) -> Iterator[Group | tuple[str, ObjectVersion, bool]]:
        """Each with its key, and whether it is the latest."""
        if version_marker is not None and marker.startswith(wanted.prefix):
            versions = self._state.versions(bucket, marker)
            ids = [one.version_id for one in versions]
            if version_marker in ids:
                yield from ((marker, one, False) for one in versions[ids.index(version_marker) + 1 :])
        for entry in walk(self._state.objects(bucket), wanted, wanted.beyond(marker), lambda found: True):
            if isinstance(entry, Group):
                yield entry
            else:
                yield from ((entry.key, one, number == 0) for number, one in enumerate(entry.versions))


def _is_current(found: Keyed) -> bool:
    return not found.versions[0].marker


def _name(entry: Keyed | Group) -> str:
    return entry.prefix if isinstance(entry, Group) else entry.key


def _contents(found: Iterable[Keyed | Group], wanted: Asked, shown_owner: dict[str, str] | None) -> Answer:
    contents, prefixes = [], []
    for entry in found:
        if isinstance(entry, Group):
            prefixes.append({"Prefix": wanted.told(entry.prefix)})
        else:
            told = _listed(entry.key, entry.versions[0], wanted)
            contents.append(told | ({"Owner": shown_owner} if shown_owner else {}))
    answer: Answer = {"Contents": contents} if contents else {}
    return answer | ({"CommonPrefixes": prefixes} if prefixes else {})


def _listed(key: str, version: ObjectVersion, wanted: Asked) -> dict[str, Any]:
    told: dict[str, Any] = {
        "Key": wanted.told(key),
        "LastModified": version.last_modified,
        "ETag": version.quoted_etag,
        "Size": version.size,
        "StorageClass": version.headers.get("StorageClass", "STANDARD"),
    }
    if version.checksums:
        told["ChecksumAlgorithm"] = algorithms(version.checksums)
    return told | type_of(version.checksums)


def _versions_told(
    found: Iterable[Group | tuple[str, ObjectVersion, bool]], wanted: Asked, user: dict[str, str]
) -> Answer:
    answer: dict[str, list[dict[str, Any]]] = {"Versions": [], "DeleteMarkers": [], "CommonPrefixes": []}
    for entry in found:
        if isinstance(entry, Group):
            answer["CommonPrefixes"].append({"Prefix": wanted.told(entry.prefix)})
            continue
        key, version, latest = entry
        told = {"VersionId": version.version_id, "IsLatest": latest, "Owner": user}
        if version.marker:
            marker = {"Key": wanted.told(key), "LastModified": version.last_modified, **told}
            answer["DeleteMarkers"].append(marker)
        else:
            answer["Versions"].append(_listed(key, version, wanted) | told)
    return {name: entries for name, entries in answer.items() if entries}


def _token_of(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place_of(token: str) -> str:
    """Raises InvalidArgument."""
    try:
        place = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        place = ""
    if not place:
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    return place
