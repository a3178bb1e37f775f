"""Where models and data lie: a local path or bucket, or the Hub's cache of what is named by its id."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Literal

from etils import epath

from rstar_jax.errors import InputError, Unavailable
from rstar_jax.files import AnyPath

Kind = Literal["model", "dataset"]

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SMALL_FILES = ("*.json", "*.jinja")
_NO_ID = " (and not a Hub id such as Qwen/Qwen2.5-Math-7B)"
_WEIGHTS = ("*.safetensors", "value_head.bin")


def local_folder(name: AnyPath, weights: bool = True) -> epath.Path:
    """The folder of a model, of a Hub id without `weights` only the small files; see `local_path`."""
    return local_path(name, "model", (*_SMALL_FILES, *_WEIGHTS) if weights else _SMALL_FILES)


def local_path(name: AnyPath, kind: Kind, patterns: Sequence[str]) -> epath.Path:
    """`name` itself if it exists; for a Hub id ("Qwen/Qwen2.5-Math-7B") its files that match, in the Hub's cache.

    What is in the cache is not loaded again; the Hub is only asked whether it is current.

    Raises:
      InputError: there is no such path and nothing of that id, or the Hub cannot be reached and the cache has none.
    """
    path, text = epath.Path(name), os.fspath(name)
    if path.exists():
        return path
    what = "folder" if kind == "model" else "file or folder"
    if not _ID.fullmatch(text) or path.suffix in (".json", ".jsonl", ".parquet"):
        raise InputError(f"{text}: no such {what}{_NO_ID}")
    return epath.Path(_download(text, kind, patterns, what))


def _download(name: str, kind: Kind, patterns: Sequence[str], what: str) -> str:
    import huggingface_hub
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]  # of its own httpx
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return huggingface_hub.snapshot_download(name, repo_type=kind, allow_patterns=list(patterns))
    except GatedRepoError as error:
        raise InputError(f"{name}: its licence has to be accepted on the Hub first (then `hf auth login`)") from error
    except RepositoryNotFoundError as error:
        raise InputError(f"{name}: no such {what} here and no such {kind} on the Hub (or a private one)") from error
    except LocalEntryNotFoundError as error:
        reason = "the Hub cannot be reached, and its cache here does not have it"
        raise Unavailable(f"{name}: no such {what}, {reason} (download it elsewhere and give its path)") from error
    except HFValidationError as error:
        raise InputError(f"{name}: no such {what}{_NO_ID}") from error
    except HTTPError as error:
        raise Unavailable(f"{name}: the Hub does not give it: {str(error).splitlines()[0]}") from error
