"""The models at endpoints, and what they charge."""

import difflib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.jobs.checkup import Check, ProblemError
from app.settings import EndpointSettings, Settings

if TYPE_CHECKING:  # without endpoints nothing of their client is imported
    from app.adapters.openai_generator import OpenAIGenerator
    from app.costs.pricing import PriceBook
    from app.generation.endpoints import Endpoint, Rungs


def build_prices(settings: Settings) -> "PriceBook":
    """What models charge: the price file, where the settings name one, before the list that Farthing brings.

    Raises:
        PriceFileError: The price file cannot be used.
    """
    from app.adapters.genai_prices import GenaiPriceBook
    from app.costs.price_file import PriceFileBook

    listed = GenaiPriceBook()
    return PriceFileBook(Path(settings.prices.file), listed) if settings.prices.file else listed


def checks(settings: Settings) -> Iterator[Check]:
    """Whether prices are known, and endpoints answer."""
    yield Check("prices", partial(_check_prices, settings))
    for endpoint in settings.endpoints:
        yield Check(f"endpoint {endpoint.name}", partial(_check_endpoint, settings, endpoint))


def build_rungs(settings: Settings) -> "Rungs":
    """The endpoints of each rung, in the order of the settings. Nothing is connected to before the first call.

    Raises:
        PriceFileError: The price file cannot be used.
    """
    from app.generation.endpoints import Rungs

    if not settings.endpoints:
        return Rungs()
    prices = build_prices(settings)
    built = [(endpoint.rung, _endpoint(settings, endpoint, prices)) for endpoint in settings.endpoints]
    small, strong = (tuple(one for rung, one in built if rung == wanted) for wanted in ("small", "strong"))
    return Rungs(small, strong)


def model_providers(settings: Settings) -> dict[str, str]:
    """Who runs the models of the settings, as far as the names of their prices say so."""
    return {one.model: one.price_model.split("/", maxsplit=1)[0] for one in settings.endpoints if one.price_model}


def _endpoint(settings: Settings, endpoint: EndpointSettings, prices: "PriceBook") -> "Endpoint":
    from app.adapters.openai_batch import OpenAIBatch
    from app.adapters.resilience import ResilientGenerator
    from app.generation.endpoints import Endpoint

    generator = _generator(settings, endpoint)
    return Endpoint(
        name=endpoint.name,
        model=endpoint.model,
        generator=ResilientGenerator(endpoint.name, generator),
        price=prices.price(endpoint.price_model) if endpoint.price_model else None,
        context_tokens=endpoint.context_tokens,
        max_output_tokens=endpoint.max_output_tokens,
        batch=OpenAIBatch(endpoint.name, endpoint.url, _key(settings, endpoint), generator.body) if endpoint.batch else None,
    )


def _generator(settings: Settings, endpoint: EndpointSettings) -> "OpenAIGenerator":
    from app.adapters.openai_generator import OpenAIGenerator

    return OpenAIGenerator(endpoint.name, endpoint.url, _key(settings, endpoint), endpoint.model, endpoint.timeout_s)


def _key(settings: Settings, endpoint: EndpointSettings) -> str | None:
    return settings.api_keys[endpoint.api_key_name].get_secret_value() if endpoint.api_key_name else None


def _check_prices(settings: Settings) -> str:
    from app.costs.price_file import PriceFileBook

    book = build_prices(settings)
    if book.price(settings.baseline.model) is None:
        raise ProblemError(
            f"no price is known for {settings.baseline.model} (baseline.model), so receipts cannot say what was saved. "
            "Name another model, as provider/model."
        )
    named = {settings.baseline.model, *(endpoint.price_model for endpoint in settings.endpoints)}
    unnamed = sorted(book.models - named) if isinstance(book, PriceFileBook) else []
    note = f"; the price file lists {', '.join(unnamed)}, which no setting names" if unnamed else ""
    return f"{settings.baseline.model} is listed{note}"


def _check_endpoint(settings: Settings, endpoint: EndpointSettings) -> str:
    models = _generator(settings, endpoint).list_models()  # reaches it, and shows it the key
    if models is not None and endpoint.model not in models:
        near = difflib.get_close_matches(endpoint.model, models, n=1, cutoff=0.0)
        instead = f" Did you mean {near[0]}?" if near else ""
        raise ProblemError(f"it does not list the model {endpoint.model}.{instead} Correct its model.")
    if not endpoint.price_model:
        price = "its price is unknown (price_model is empty)"
    elif build_prices(settings).price(endpoint.price_model) is None:
        raise ProblemError(
            f"no price is known for {endpoint.price_model} (price_model), so its answers cost an unknown amount. "
            "Name another model, as provider/model, or list it in prices.file."
        )
    else:
        price = f"priced as {endpoint.price_model}"
    known = "lists no models, so key and model show with the first answer" if models is None else f"knows {endpoint.model}"
    return f"{endpoint.url} answers and {known}; {price}"
