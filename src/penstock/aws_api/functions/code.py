"""Deployment packages and layer contents: zip archives, kept by what they hold."""

import asyncio
import hashlib
import os
import zipfile
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.aws_api.functions.errors import invalid
from penstock.aws_api.functions.state import Record, State
from penstock.aws_api.service import FilePart, ServiceError
from penstock.model import ids
from penstock.model.limits import MIB
from penstock.packaging.archive import MAX_UNZIPPED_BYTES

# "50 MB (zipped, for direct upload)": https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_DIRECT_BYTES: Final = 50 * MIB
_CHUNK: Final = MIB
_PART: Final = ".part"

_UNREADABLE: Final = "Could not unzip uploaded file. Please check your file, then try to upload again."
_TOO_LARGE: Final = f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Archive:
    """`file` is its name among those kept, `sha256` in base64, `size` in bytes."""

    file: str
    sha256: str
    size: int


class Archives:
    def __init__(self, state: State) -> None:
        self._state = state
        self._folder = state.store.files / "lambda"
        self._folder.mkdir(exist_ok=True)

    def path(self, file: str) -> Path:
        return self._folder / file

    async def take(self, code: Mapping[str, Any]) -> Archive:
        """Keep a FunctionCode or a LayerVersionContentInput: bytes, or an object of S3. Raises ServiceError."""
        data = code.get("ZipFile")
        if data is not None:
            if len(data) > MAX_DIRECT_BYTES:
                raise ServiceError(
                    "RequestEntityTooLargeException", f"Zip file must be smaller than {MAX_DIRECT_BYTES} bytes", 413
                )
            return await self._keep(data)
        if not code.get("S3Bucket") or not code.get("S3Key"):
            raise invalid("Please provide a source for function code.")
        return await self._keep(await self._object(code))

    async def _object(self, code: Mapping[str, Any]) -> bytes | FilePart:
        state = self._state
        params = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
        if code.get("S3ObjectVersion"):
            params["VersionId"] = code["S3ObjectVersion"]
        try:
            found = await state.dispatcher.call("s3", "GetObject", params, state.context())
        except ServiceError as error:
            told = f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
            raise invalid(told) from None
        body: bytes | FilePart = found["Body"]
        return body

    async def _keep(self, content: bytes | FilePart) -> Archive:
        part = self._folder / f"{ids.environment_id()}{_PART}"
        try:
            archive = await asyncio.to_thread(_write, content, part)
            part.replace(self._folder / archive.file)
        finally:
            part.unlink(missing_ok=True)
        return archive

    def sweep(self) -> None:
        """Remove what no version and no layer names."""
        state = self._state
        tables = (state.versions, state.layers)
        used = {record["code"] for table in tables for _, record in table.items() if record.get("code")}
        self._remove_all_but(used)

    def _remove_all_but(self, used: Collection[str]) -> None:
        for entry in os.scandir(self._folder):
            if entry.name not in used and not entry.name.endswith(_PART):
                os.unlink(entry.path)

    def start(self) -> None:
        """What the last run left half written goes as well."""
        for part in self._folder.glob(f"*{_PART}"):
            part.unlink()
        self.sweep()


def described(archive: Archive) -> Record:
    """The members of a FunctionConfiguration that speak of the code."""
    return {"CodeSha256": archive.sha256, "CodeSize": archive.size}


def _write(content: bytes | FilePart, path: Path) -> Archive:
    digest = hashlib.sha256()
    with path.open("wb") as target:
        for chunk in _chunks(content):
            digest.update(chunk)
            target.write(chunk)
        size = target.tell()
    _check(path)
    return Archive(f"{digest.hexdigest()}.zip", b64encode(digest.digest()).decode(), size)


def _chunks(content: bytes | FilePart) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    left = content.length
    with content.path.open("rb") as file:
        file.seek(content.offset)
        while data := file.read(min(_CHUNK, left)):
            left -= len(data)
            yield data


def _check(path: Path) -> None:
    """Whether it is an archive at all; what it says of its size is measured again when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as opened:
            total = sum(member.file_size for member in opened.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise invalid(_UNREADABLE) from None
    if total > MAX_UNZIPPED_BYTES:
        raise invalid(_TOO_LARGE)
