"""The models at endpoints, and what they charge."""

from pathlib import Path
from typing import TYPE_CHECKING

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


def list_models(settings: Settings, endpoint: EndpointSettings) -> frozenset[str] | None:
    """The models that an endpoint says it has; `None` when it does not say. Spends no tokens.

    Raises:
        GenerationError: It cannot be reached, or refuses the key.
    """
    return _generator(settings, endpoint).list_models()


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
