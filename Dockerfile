# Farthing's service. Build: docker build --tag farthing . Run: see docker-compose.yml and docs/operations.md.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/farthing
# As in the Makefile: the processor-only build of torch has an index of its own and is not in the lock. The fallback is the
# build of the default index, which takes what else it needs (CUDA) in the last line of the next step.
RUN /opt/farthing/bin/pip install --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu --no-deps torch==2.13.0+cpu \
    || /opt/farthing/bin/pip install --no-deps torch==2.13.0
COPY requirements.lock requirements-dev.lock ./
RUN /opt/farthing/bin/pip install --no-deps --require-hashes -r requirements.lock \
    && /opt/farthing/bin/pip install torch==2.13.0
# Only what builds the wheel, from the same locks.
RUN awk '/^[^ ]/ { keep = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } keep' requirements.lock requirements-dev.lock \
      > build.lock \
    && pip install --no-deps --require-hashes -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY indexing indexing
COPY retrieval retrieval
COPY eval eval
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/farthing/bin/pip install --no-deps dist/*.whl \
    && /opt/farthing/bin/pip check

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home farthing \
    && install --directory --owner farthing --group farthing --mode 0700 /data
COPY --from=build /opt/farthing /opt/farthing
ENV PATH=/opt/farthing/bin:$PATH PYTHONUNBUFFERED=1 FARTHING_HOME=/data
VOLUME /data
WORKDIR /home/farthing
USER farthing
EXPOSE 8040
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8040/health', timeout=4)"]
# Inside the container every interface; who reaches the port is decided where it is published, and compose says loopback.
ENTRYPOINT ["farthing"]
CMD ["serve", "--host", "0.0.0.0"]
