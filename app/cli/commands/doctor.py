"""`farthing doctor`."""

import difflib
import errno
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from app import bootstrap
from app.bootstrap.caching import build_answer_store
from app.bootstrap.ledger import build_ledger
from app.bootstrap.models import list_models
from app.cli import OK, REFUSED
from app.cli.rendering import console, printable
from app.costs.price_file import PriceFileBook
from app.home import check_home
from app.jobs.errors import DOMAIN_ERRORS
from app.settings import EndpointSettings, Settings, load_settings, settings_file
from retrieval.weights import shipped_weights

_ROOM_BYTES: Final = 1_000_000_000


class _ProblemError(Exception):
    """Something is not as it should be; the words say what to do."""


def run() -> int:
    """Check one thing a line; the exit status says whether all are well."""
    loaded: list[Settings] = []
    well = _check("settings", partial(_settings, loaded))
    for settings in loaded:
        well = all([well, *(_check(name, look) for name, look in _checks(settings))])
    return OK if well else REFUSED


def _check(name: str, look: Callable[[], str]) -> bool:
    out = console(sys.stdout)
    try:
        out.print(f"ok       {name}: {printable(look())}")
    except (*DOMAIN_ERRORS, _ProblemError) as error:
        out.print(f"problem  {name}: {printable(str(error))}")
        return False
    return True


def _checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "home", partial(_home, settings.home)
    yield "disk", partial(_disk, settings.home)
    yield "model", partial(_model, settings)
    yield "tokenizer", _tokenizer
    yield "engine", partial(_engine, settings)
    yield "index", partial(_index, settings)
    yield "cache", partial(_cache, settings)
    yield "ledger", partial(_ledger, settings)
    yield "prices", partial(_prices, settings)
    for endpoint in settings.endpoints:
        yield f"endpoint {endpoint.name}", partial(_endpoint, settings, endpoint)
    yield "port", partial(_port, settings.server.host, settings.server.port)


def _settings(loaded: list[Settings]) -> str:
    loaded.append(load_settings())
    file = settings_file()
    return f"read from {file}" if file else "the defaults, and the environment"


def _home(home: Path) -> str:
    check_home(home)
    return f"{home.resolve()}, for this account alone" if home.exists() else f"{home.resolve()} will be made when it is needed"


def _disk(home: Path) -> str:
    place = next(folder for folder in (home.resolve(), *home.resolve().parents) if folder.exists())
    free_bytes = shutil.disk_usage(place).free
    if free_bytes < _ROOM_BYTES:
        raise _ProblemError(f"only {free_bytes / 1e9:.1f} GB are free below {place}. Make room, or move FARTHING_HOME.")
    return f"{free_bytes / 1e9:,.1f} GB free below {place}"


def _model(settings: Settings) -> str:
    embedder = bootstrap.build_embedder(settings)
    embedder.embed_query("ready?")  # loads the weights, and checks them
    return f"{embedder.spec.model}, {embedder.spec.dimension} dimensions, {embedder.spec.variant}"


def _tokenizer() -> str:
    counter = bootstrap.build_counter()
    counter.count("ready?")
    return counter.name


def _engine(settings: Settings) -> str:
    with closing(bootstrap.Engine(settings, settings.home.resolve())) as engine:
        engine.store()  # asks a server for its version
        return f"{engine.name} at {settings.qdrant.url}" if engine.name == "qdrant" else f"{engine.name}, in this process"


def _index(settings: Settings) -> str:
    generations = bootstrap.build_generations(
        settings, bootstrap.build_embedder(settings), bootstrap.build_counter(), shipped_weights()
    )
    try:
        current = generations.current()
        if current is None:
            return "nothing has been indexed yet; `farthing index PATH` does"
        generations.open(current).close()
    finally:
        generations.close()
    return f"generation {current} can be asked"


def _cache(settings: Settings) -> str:
    store = build_answer_store(settings)
    if store is None:
        return "off (cache.enabled), so every question is answered afresh"
    with closing(store):
        usage = store.usage()
    kind = "redis" if settings.cache.url.get_secret_value() else "disk"
    room = f"{usage.stored_bytes / 1e6:,.1f} of {usage.max_bytes / 1e6:,.0f} MB"
    return f"{kind}, {usage.entries:,} answers, {room}, {usage.evicted:,} had to make room so far"


def _ledger(settings: Settings) -> str:
    on_server = bool(settings.ledger.url.get_secret_value())
    if not on_server and not settings.home.exists():
        return "will be made when it is needed"
    with closing(build_ledger(settings)) as ledger:
        ledger.recover()  # reads it, and writes what has waited
        ledger.add_hits({})  # begins to write, and writes nothing
    return f"{'postgresql' if on_server else 'sqlite, in the home'}, can be read and written"


def _prices(settings: Settings) -> str:
    book = bootstrap.build_prices(settings)
    if book.price(settings.baseline.model) is None:
        raise _ProblemError(
            f"no price is known for {settings.baseline.model} (baseline.model), so receipts cannot say what was saved. "
            "Name another model, as provider/model."
        )
    named = {settings.baseline.model, *(endpoint.price_model for endpoint in settings.endpoints)}
    unnamed = sorted(book.models - named) if isinstance(book, PriceFileBook) else []
    note = f"; the price file lists {', '.join(unnamed)}, which no setting names" if unnamed else ""
    return f"{settings.baseline.model} is listed{note}"


def _endpoint(settings: Settings, endpoint: EndpointSettings) -> str:
    models = list_models(settings, endpoint)  # reaches it, and shows it the key
    if models is not None and endpoint.model not in models:
        near = difflib.get_close_matches(endpoint.model, models, n=1, cutoff=0.0)
        instead = f" Did you mean {near[0]}?" if near else ""
        raise _ProblemError(f"it does not list the model {endpoint.model}.{instead} Correct its model.")
    if not endpoint.price_model:
        price = "its price is unknown (price_model is empty)"
    elif bootstrap.build_prices(settings).price(endpoint.price_model) is None:
        raise _ProblemError(
            f"no price is known for {endpoint.price_model} (price_model), so its answers cost an unknown amount. "
            "Name another model, as provider/model, or list it in prices.file."
        )
    else:
        price = f"priced as {endpoint.price_model}"
    known = "lists no models, so key and model show with the first answer" if models is None else f"knows {endpoint.model}"
    return f"{endpoint.url} answers and {known}; {price}"


def _port(host: str, port: int) -> str:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"{host}:{port} is in use, perhaps by `farthing serve`"
        raise _ProblemError(f"{host}:{port} cannot be listened on ({error}). Correct server.host or server.port.") from error
    return f"{host}:{port} is free"
