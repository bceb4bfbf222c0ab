"""Paths in S3 and in servers that speak its language, found by AWS's own variables (AWS_ENDPOINT_URL and so on).

A bucket that does not answer is asked again for minutes, so that a trial outlives its outage. Nothing is cached, and
nothing but an OSError is raised: callers treat a bucket as they treat a disk.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError
from fsspec.asyn import sync_wrapper
from s3fs import S3FileSystem
from s3fs.utils import FileExpired
from upath.implementations.cloud import S3Path
from upath.registry import register_implementation

from skin_tune.errors import StoreError

_Result = TypeVar("_Result")

_ATTEMPTS = 20
"""Waits between them grow to twenty seconds: about three minutes in all."""

_ATTEMPTS_AT_FIRST = 2
"""Few: a user waits for the answer to what was just typed."""


_READS = 5
"""How often what takes several requests is begun anew before it is given up."""


class BucketFileSystem(S3FileSystem):
    """s3fs with the manners above; `attempts` is how often a request is sent before it fails."""

    retries = 2  # beside those of botocore, which do not cover an answer that breaks off

    def __init__(self, *args: Any, attempts: int = _ATTEMPTS, **options: Any):
        retries = {"mode": "standard", "total_max_attempts": attempts}
        super().__init__(*args, use_listings_cache=False, config_kwargs={"retries": retries}, **options)

    async def _call_s3(self, method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._call_s3(method, *args, **kwargs)
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise OSError(errno.EIO, str(error)) from error

    call_s3 = sync_wrapper(_call_s3)


@cache
def file_system(process: int) -> BucketFileSystem:
    """The one of this process, by its id: fsspec would make one, with connections of its own, for each thread."""
    return BucketFileSystem()


class BucketPath(S3Path):
    """``s3://bucket/name``, with pathlib's methods."""

    __slots__ = ()

    @property
    def fs(self) -> BucketFileSystem:
        return file_system(os.getpid())

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        return bool(self._kind())

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._kind() == "file"

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._kind() == "directory"

    def _kind(self) -> str:
        """file, directory, or nothing. Raises OSError, where fsspec would say no, if the bucket cannot be asked."""
        try:
            return str(self.fs.info(self.path)["type"])
        except FileNotFoundError:
            return ""

    def read_bytes(self) -> bytes:
        """All of it, by one request: whoever opens an object and then reads it may find another one by then."""
        content: bytes = self.fs.cat_file(self.path, max_concurrency=1)
        return content

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:
        """All of it, by one request."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing to do: folders are parts of the names of a bucket's objects."""

    def write_if(self, content: bytes, etag: str | None) -> str:
        """Write where the version `etag` is, or with None where nothing is; the new version.

        Raises FileExistsError where something else is.
        """
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        bucket, _, key = self.path.partition("/")
        try:
            answer = self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=content, **condition)
        except OSError as error:
            if _status(error) in (404, 409, 412):  # gone, being written, or written by another
                raise FileExistsError(errno.EEXIST, "written by another", str(self)) from None
            raise
        return str(answer["ETag"])

    def version(self) -> tuple[str, float]:
        """Its version, and its age in seconds by the server's own clock."""
        bucket, _, key = self.path.partition("/")
        answer = self.fs.call_s3("head_object", Bucket=bucket, Key=key)
        there = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return str(answer["ETag"]), (there - answer["LastModified"]).total_seconds()

    def check(self) -> "BucketPath":
        """Itself. Raises StoreError where the bucket does not exist or cannot be used."""
        name = self.path.partition("/")[0]
        try:
            BucketFileSystem(attempts=_ATTEMPTS_AT_FIRST).call_s3("head_bucket", Bucket=name)
        except FileNotFoundError:
            raise StoreError(f"{str(self)!r}: there is no bucket {name!r}; create it first") from None
        except PermissionError:
            raise StoreError(f"{str(self)!r}: the credentials at hand give no access to bucket {name!r}") from None
        except OSError as error:
            raise StoreError(f"{str(self)!r} cannot be reached: {error.strerror or error}") from None
        return self


def steady(read: Callable[[], _Result]) -> _Result:
    """Result of `read`, which takes several requests; called again where the object was replaced meanwhile.

    Raises OSError where that happens time and again.
    """
    for _ in range(_READS - 1):
        with suppress(FileExpired):
            return read()
    return read()


def _status(error: OSError) -> int:
    """The HTTP status behind an error; 0 where there was no answer."""
    response = getattr(error.__cause__, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


register_implementation("s3", BucketPath, clobber=True)
