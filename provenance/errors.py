"""Failures that a user can do something about: what happened, why, and what to do.

Rules: findings are values, failures are exceptions; every failure of assay's own is an `AssayError`; its wording lives in
the constructors here, so that the command line and the HTTP service say the same sentence.
"""

import errno
import re

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/", re.IGNORECASE)  # a path keeps one of the two slashes
_ELSEWHERE = {"file": "name the path alone", **dict.fromkeys(("s3", "gs", "az"), "`assay audit` reads buckets")}
_INSTEAD = {  # what is often given in place of a picture → what to do
    "empty": "get the file again",
    "a PDF document": "take the pictures out of it, as files of their own, and name those",
    "a video or audio file": "for a video: save a frame of it as a picture and name that; what the video itself declares is not read",
    "a web page": "the download brought a page in place of the picture: save the picture itself",
    "a zip archive": "`assay audit` looks into archives",
}


class AssayError(Exception):
    """Something could not be done. `message` says what and why, `hint` what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UnreadableFile(AssayError):
    """A file could not be opened or read at all."""

    @classmethod
    def from_os_error(cls, path: object, error: OSError) -> "UnreadableFile":
        match error:
            case FileNotFoundError() | OSError(errno=errno.ENAMETOOLONG) if url := _URL.match(str(path)):
                scheme = url[1].lower()
                hint = _ELSEWHERE.get(scheme, "download the file and name the copy")
                return cls(f"{path}: a URL, and files are not fetched from {scheme}://", hint)
            case FileNotFoundError():
                return cls(f"{path}: no such file", "check the path")
            case PermissionError():
                return cls(f"{path}: permission denied", "make the file readable for this user")
            case IsADirectoryError():
                return cls(f"{path}: is a folder", "name a file")
            case _:
                return cls(f"{path}: cannot be read: {error.strerror or error}")


class UnsupportedFormat(AssayError):
    """The content is of no image format that assay reads."""

    def __init__(self, name: str, found: str = "") -> None:
        detail = f"its content is {found}" if found else "its content is of no image format known here"
        told = "" if found.startswith("image/") else "assay goes by content, not by the file's ending"
        super().__init__(f"{name}: not a supported image: {detail}", _INSTEAD.get(found, told))


class LimitExceeded(AssayError):
    """A file is larger than a limit allows; nothing beyond the limit was parsed."""

    def __init__(self, name: str, what: str, *, found: int, limit: int) -> None:
        super().__init__(
            f"{name}: {found:,} {what} exceed the limit of {limit:,}",
            "raise the limit if you trust the file, as in ASSAY_LIMITS=bytes=1G,pixels=1G",
        )


class DecodeFailed(AssayError):
    """The image data is broken: truncated, corrupt, or not what its header says."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name}: the picture cannot be decoded: {reason}", "the file may be truncated; get another copy"
        )


class MissingExtra(AssayError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency", f"pip install 'assay[{extra}]'")


class OutputRefused(AssayError):
    """Writing would lose something, or cannot be done."""

    @classmethod
    def same_file(cls, path: object) -> "OutputRefused":
        return cls(f"{path}: is the source itself", "name another output; assay never overwrites a source")

    @classmethod
    def exists(cls, path: object) -> "OutputRefused":
        return cls(f"{path}: exists already", "name another output, or remove that one first")

    @classmethod
    def from_os_error(cls, path: object, error: OSError) -> "OutputRefused":
        return cls(
            f"{path}: cannot be written: {error.strerror or error}", "check the folder, its permissions and free space"
        )


class SigningFailed(AssayError):
    """A manifest could not be signed or did not verify afterwards; no output was left behind."""


class CredentialRefused(AssayError):
    """A key or a certificate chain cannot be used for signing."""
