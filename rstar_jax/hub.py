"""Where a model lies: a local folder or bucket, or the Hub's cache of a model that is named by its id."""

from __future__ import annotations

import os
import re

from etils import epath

from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath

_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ("*.json", "*.safetensors", "*.jinja", "value_head.bin")


def local_folder(name: AnyPath) -> epath.Path:
    """The folder of a model: `name` itself, or for a Hub id ("Qwen/Qwen2.5-Math-7B") its download in the Hub's cache.

    What is in the cache is used without asking the Hub for anything but whether it is current.

    Raises:
      InputError: there is no such folder and no such model, or the Hub cannot be reached and the cache has none.
    """
    path = epath.Path(name)
    if path.exists():
        return path
    text = os.fspath(name)
    if not _ID.fullmatch(text):
        raise InputError(f"{text}: no such folder (and not a Hub id such as Qwen/Qwen2.5-Math-7B)")
    return epath.Path(_download(text))


def _download(name: str) -> str:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return snapshot_download(name, allow_patterns=list(_FILES))
    except GatedRepoError as error:
        raise InputError(f"{name}: its licence has to be accepted on the Hub first (then `hf auth login`)") from error
    except RepositoryNotFoundError as error:
        raise InputError(f"{name}: no such folder here and no such model on the Hub (or a private one)") from error
    except LocalEntryNotFoundError as error:
        reason = "the Hub cannot be reached, and its cache here does not have it"
        raise InputError(f"{name}: no such folder, {reason} (download it elsewhere and give its folder)") from error
    except HfHubHTTPError as error:
        raise InputError(f"{name}: the Hub refused: {error}") from error
