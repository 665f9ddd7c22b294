"""The first flow: documents to chunks, vectors and index."""
