"""Where files are kept: below PBXAI_DATA, or in S3-compatible storage with PBXAI_S3_BUCKET set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pbxai import env

S3_VARIABLES: Final = (
    "PBXAI_S3_BUCKET",
    "PBXAI_S3_ENDPOINT",
    "PBXAI_S3_REGION",
    "PBXAI_S3_ACCESS_KEY",
    "PBXAI_S3_SECRET_KEY",
)


def file_storage(data: Path) -> dict[str, Any]:
    """Django's settings of the default storage. No address leads to its files: views serve them."""
    bucket, endpoint, region, access_key, secret_key = map(env.optional, S3_VARIABLES)
    if bucket is None:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {
                "location": data,
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    options: dict[str, Any] = {
        "bucket_name": bucket,
        "endpoint_url": endpoint,
        "region_name": region,
        "access_key": access_key,
        "secret_key": secret_key,
        "signature_version": "s3v4",
        # A server of one's own rarely has a host name for each bucket.
        "addressing_style": "path" if endpoint else "auto",
        "file_overwrite": False,
        "default_acl": None,
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def problems() -> list[str]:
    """What is half said about the S3 storage, in words for the operator."""
    bucket, endpoint, _region, access_key, secret_key = map(env.optional, S3_VARIABLES)
    found = []
    if bucket is None:
        given = [name for name in S3_VARIABLES if env.optional(name)]
        if given:
            found.append(f"{', '.join(given)}: set, but PBXAI_S3_BUCKET is not.")
        return found
    if (access_key is None) != (secret_key is None):
        found.append("PBXAI_S3_ACCESS_KEY and PBXAI_S3_SECRET_KEY go together; one is missing.")
    if endpoint and (urlsplit(endpoint).scheme not in {"http", "https"}):
        found.append("PBXAI_S3_ENDPOINT must look like https://s3.example.com.")
    return found
