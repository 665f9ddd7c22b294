"""LlamaIndex's stock pipeline, with the same embedding model: nothing but its defaults."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import NodeWithScore, QueryBundle
from numpy.typing import NDArray
from pydantic import PrivateAttr

from eval.arms.baselines import EmbedTexts, NaiveContext, Page
from indexing.tokens import TokenCounter

_RANKED: Final = 100
_BATCH: Final = 512


class _SameEmbedding(BaseEmbedding):
    """The product's embedding model as LlamaIndex wants it."""

    _embed: EmbedTexts = PrivateAttr()

    def __init__(self, embed: EmbedTexts) -> None:
        super().__init__(model_name="farthing", embed_batch_size=_BATCH)
        self._embed = embed

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self._embed(texts).tolist()
        return rows

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embeddings([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class LlamaIndexDefault:
    """`VectorStoreIndex.from_documents(...).as_retriever()` with its default splitter, in-memory store and number of results."""

    def __init__(self, pages: Sequence[Page], embed: EmbedTexts, counter: TokenCounter) -> None:
        documents = [Document(text=page.markdown, id_=page.path) for page in pages]
        index = VectorStoreIndex.from_documents(documents, embed_model=_SameEmbedding(embed))
        self._stock = index.as_retriever()
        self._ranking = index.as_retriever(similarity_top_k=_RANKED)
        self._counter = counter

    def context(self, question: str, vector: NDArray[np.float32]) -> NaiveContext:
        """What the stock retriever returns, best first; the ranking is that of the same index asked for more."""
        query = QueryBundle(question, embedding=vector.tolist())
        text = "\n\n".join(found.node.get_content() for found in self._stock.retrieve(query))
        ranking = tuple(_page(found) for found in self._ranking.retrieve(query))
        return NaiveContext(text, self._counter.count(text), ranking)

    def configuration(self) -> dict[str, str | int]:
        """What decides its results, as the installed version has it."""
        splitter = SentenceSplitter()
        top = getattr(self._stock, "similarity_top_k", 0)
        return {"chunk_tokens": splitter.chunk_size, "overlap_tokens": splitter.chunk_overlap, "top": int(top)}


def _page(found: NodeWithScore) -> str:
    return str(found.node.ref_doc_id)
