"""The real model, loaded once for all tests here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexing.adapters.embedding_arithmetic import BF16, FP32, ArithmeticVerdicts, read_cpu
from indexing.adapters.embedding_model_files import PACKAGED_MODEL, find_model
from indexing.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder
from indexing.errors import EmbeddingError
from tests.contracts.embedder import TEXTS, EmbedderContract

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def embedder(home: Path) -> SentenceTransformersEmbedder:
    loaded = SentenceTransformersEmbedder(home=home)
    loaded.embed_query("load it")
    return loaded


class TestSentenceTransformersEmbedder(EmbedderContract):
    pass


def test_vectors_are_those_of_sentence_transformers(embedder: SentenceTransformersEmbedder) -> None:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - slow to import

    reference = SentenceTransformer(str(find_model(PACKAGED_MODEL, None).folder), device="cpu", local_files_only=True)
    expected = reference.encode(TEXTS, show_progress_bar=False)
    assert ((embedder.embed_documents(TEXTS) * expected).sum(axis=1) > 0.999).all()
    query = reference.encode(TEXTS[0], show_progress_bar=False)
    assert embedder.embed_query(TEXTS[0]) @ query > 0.999


def test_a_query_and_a_passage_with_the_same_text_have_one_direction(embedder: SentenceTransformersEmbedder) -> None:
    assert embedder.embed_query(TEXTS[0]) @ embedder.embed_documents([TEXTS[0]])[0] > 0.9999


def test_the_arithmetic_is_settled_once_for_this_machine(embedder: SentenceTransformersEmbedder, home: Path) -> None:
    settled = ArithmeticVerdicts(home, PACKAGED_MODEL, read_cpu()).settled()
    assert settled == embedder.spec.variant
    assert settled in {BF16, FP32}


def test_weights_that_are_not_finite_are_refused(embedder: SentenceTransformersEmbedder, home: Path) -> None:
    import torch  # noqa: PLC0415 - slow to import

    broken = SentenceTransformersEmbedder(home=home)
    broken.embed_query("load it")
    assert broken._model is not None
    with torch.no_grad():
        next(broken._model.parameters()).fill_(float("nan"))
    with pytest.raises(EmbeddingError, match=r"not finite.*install it again"):
        broken.embed_query("x")
    with pytest.raises(EmbeddingError, match="not finite"):
        broken.embed_documents(["x", "y"])
    assert np.isfinite(embedder.embed_query("x")).all()


def test_a_damaged_model_is_an_embedding_error(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(find_model(PACKAGED_MODEL, None).folder, folder)
    (folder / "model.safetensors").write_bytes(b"torn")
    embedder = SentenceTransformersEmbedder(str(folder), home=tmp_path)
    assert embedder.spec.dimension == 384
    with pytest.raises(EmbeddingError, match=r"cannot be loaded.*Install or download it again"):
        embedder.embed_query("x")


def test_knowing_the_spec_imports_neither_torch_nor_transformers_and_loading_is_silent(home: Path) -> None:
    program = (
        "import socket, sys, warnings\n"
        "from pathlib import Path\n"
        "warnings.simplefilter('error')\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from indexing.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder\n"
        "embedder = SentenceTransformersEmbedder(home=Path(sys.argv[1]))\n"
        "assert embedder.spec.dimension == 384\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'huggingface_hub'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert embedder.embed_documents(['text']).shape == (1, 384)\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-c", program, str(home)], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
