"""The settings: one TOML file holds every default and says what each is for; this module gives them types and checks them."""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NestedSecretsSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as VendorSettingsError
from pydantic_settings.sources import InitSettingsSource

from app.costs.budgets import Payer, Period
from app.errors import SettingsError
from app.settings_checks import endpoint_url, header_value, language_code, postgresql_url, redis_url, usd_amount

DEFAULTS_FILE: Final = Path(__file__).with_name("settings.toml")
LOCAL_FILE: Final = "farthing.toml"
FILE_VARIABLE: Final = "FARTHING_SETTINGS"
SECRETS_VARIABLE: Final = "FARTHING_SECRETS_DIR"

_PREFIX: Final = "FARTHING_"
_SECRETS_DIR: Final = "/run/secrets"

_KEYS_SECTION: Final = "api_keys"

_Positive = Annotated[int, Field(gt=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Name = Annotated[str, Field(min_length=1)]
_Usd = Annotated[str, BeforeValidator(usd_amount)]
_KeyName = Annotated[str, Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")]
"""Lower case, single underscores: any such name can be written as a variable and read back."""


_Key = Annotated[SecretStr, AfterValidator(header_value)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReaderSettings(_Section):
    """A LlamaIndex reader as a source. `class_path` is written `class` in the file."""

    name: _Name
    class_path: Annotated[str, Field(alias="class", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
    arguments: dict[str, Any] = {}
    labels: tuple[str, ...] = ()


class EndpointSettings(_Section):
    """A model at an OpenAI-compatible endpoint. Empty names mean none: no key is sent, no price is known."""

    name: _Name
    rung: Literal["small", "strong"]
    url: Annotated[str, AfterValidator(endpoint_url)]
    model: _Name
    api_key_name: str = ""
    price_model: str = ""
    context_tokens: _Positive
    max_output_tokens: _Positive
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    batch: bool = False

    @model_validator(mode="after")
    def _leaves_room_for_the_prompt(self) -> Self:
        if self.max_output_tokens >= self.context_tokens:
            raise ValueError("max_output_tokens must be less than context_tokens, which holds prompt and answer together")
        return self


class PricesSettings(_Section):
    """Prices of the operator's own. An empty file name means none."""

    file: str


class BudgetSettings(_Section):
    """One limit on what may be spent."""

    payer: Payer
    name: _Name = "*"
    period: Period
    usd: _Usd | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.usd is None and self.tokens is None:
            raise ValueError("a budget limits usd, tokens, or both")
        if self.payer is Payer.COMPANY and self.name != "*":
            raise ValueError("there is one company: leave its name out")
        return self


class EmbeddingSettings(_Section):
    """The embedding model, and the API whose price the dry run quotes."""

    model: _Name
    api_price_model: _Name


class IndexSettings(_Section):
    """The engine, and what is too large to index."""

    engine: Literal["edge", "qdrant"]
    max_file_bytes: _Positive


class QdrantSettings(_Section):
    """The Qdrant server. An empty key means none."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    api_key: SecretStr
    timeout_s: _Positive
    collection_prefix: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class ParserSettings(_Section):
    """The limits of the parsing process, for one document."""

    memory_bytes: _Positive
    timeout_s: Annotated[float, Field(gt=0)]


class RetrievalSettings(_Section):
    """How much context an answer may use."""

    budget_tokens: _Positive


class AnsweringSettings(_Section):
    """What is accepted as a question."""

    max_question_characters: _Positive


class LadderSettings(_Section):
    """What the rungs with models may read, and when they are asked."""

    wide_budget_tokens: _Positive
    extractive_from: Annotated[float, Field(ge=0)]
    judge: bool


class BaselineSettings(_Section):
    """The naive prompt that a receipt compares with."""

    model: _Name
    output_tokens: Annotated[int, Field(ge=0)]


class MeasuringSettings(_Section):
    """How many questions go through the naive pipeline, too, and for how much a day."""

    share: _Share
    usd_per_day: _Usd


class BudgetRestraintsSettings(_Section):
    """From which used share of a limit on answers are held back, in [0, 1] and none below the one before."""

    compressed_only: _Share
    small_only: _Share
    free_only: _Share

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if not self.compressed_only <= self.small_only <= self.free_only:
            raise ValueError("compressed_only, small_only and free_only must not fall")
        return self


class LedgerSettings(_Section):
    """Where the ledger lies, and what it keeps. An empty URL means a file in the home."""

    url: Annotated[SecretStr, AfterValidator(postgresql_url)]
    keep_question_text: bool
    lost_after_s: _Positive


class CacheSettings(_Section):
    """The answer cache: whether there is one, where, and how much it keeps. An empty URL means a directory in the home."""

    enabled: bool
    url: Annotated[SecretStr, AfterValidator(redis_url)]
    max_bytes: Annotated[int, Field(ge=1_000_000)]
    timeout_s: Annotated[float, Field(gt=0, le=10)]
    ttl_s: _Positive
    abstention_ttl_s: Annotated[int, Field(ge=0)]
    max_wrong_share: _Share
    verifier_wrong_share: _Share
    audit_share: _Share
    refresh_per_sync: Annotated[int, Field(ge=0)]
    refresh_usd: _Usd


class AccessSettings(_Section):
    """The labels that HTTP callers may claim, and the headers that name who they are."""

    http_labels: tuple[str, ...]
    person_header: str
    team_header: str


class ServerSettings(_Section):
    """Where the service listens, and how much it takes on."""

    host: _Name
    port: Annotated[int, Field(ge=0, le=65535)]
    slots: _Positive
    queue: Annotated[int, Field(ge=0)]


class Settings(BaseSettings):
    """All settings, checked and frozen. `app/settings.toml` documents each key and holds its default."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,  # a refused value may be a secret
        secrets_dir_missing="ok",
    )

    home: Path
    language: Annotated[str, AfterValidator(language_code)]
    sources: tuple[ReaderSettings, ...]
    budgets: tuple[BudgetSettings, ...]
    endpoints: tuple[EndpointSettings, ...]
    api_keys: dict[_KeyName, _Key]
    prices: PricesSettings
    embedding: EmbeddingSettings
    index: IndexSettings
    qdrant: QdrantSettings
    parser: ParserSettings
    retrieval: RetrievalSettings
    answering: AnsweringSettings
    ladder: LadderSettings
    baseline: BaselineSettings
    measuring: MeasuringSettings
    budget_restraints: BudgetRestraintsSettings
    ledger: LedgerSettings
    cache: CacheSettings
    access: AccessSettings
    server: ServerSettings

    @model_validator(mode="after")
    def _endpoints_fit_together(self) -> Self:
        names = [endpoint.name for endpoint in self.endpoints]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"endpoints[].name must differ, and {twice[0]!r} stands twice")
        for endpoint in self.endpoints:
            if endpoint.api_key_name and endpoint.api_key_name not in self.api_keys:
                raise ValueError(
                    f"endpoint {endpoint.name!r} names the key {endpoint.api_key_name!r}, which is not set. Set the variable "
                    f"{_PREFIX}{_KEYS_SECTION.upper()}__{endpoint.api_key_name.upper()}, or a secret file of that name"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it by name
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, secret files, the settings file, the defaults."""
        secrets = NestedSecretsSettingsSource(file_secret_settings, secrets_dir=_secrets_directory())
        files = [path for path in (settings_file(), DEFAULTS_FILE) if path]
        tables = [InitSettingsSource(settings_cls, _read_toml(path)) for path in files]
        return (init_settings, env_settings, secrets, *tables)


def load_settings(**arguments: Any) -> Settings:
    """Read the settings; `arguments` win over everything else.

    Raises:
        SettingsError: A key is unknown (the message names the nearest known one), a value is not usable, or the file that
            `FARTHING_SETTINGS` names is not there.
    """
    _refuse_unknown_names("environment variable", [name for name in os.environ if name.upper().startswith(_PREFIX)])
    if (secrets := Path(_secrets_directory())).is_dir():
        _refuse_unknown_names("secret file", [f.name for f in secrets.iterdir() if f.name.upper().startswith(_PREFIX)])
    if path := settings_file():
        _refuse_unknown_keys(path, _read_toml(path))
    try:
        return Settings(**arguments)
    except ValidationError as error:
        problems = "; ".join(_problem(p["loc"], p["msg"]) for p in error.errors(include_url=False))
        raise SettingsError(f"A setting cannot be used: {problems}. app/settings.toml says what each is for.") from error
    except VendorSettingsError as error:
        raise SettingsError(f"A setting cannot be read: {error}. A whole section or list in a variable is JSON.") from error


def settings_file() -> Path | None:
    """The user's settings file, or `None` when there is none.

    Raises:
        SettingsError: `FARTHING_SETTINGS` names a file that is not there.
    """
    named = os.environ.get(FILE_VARIABLE)
    if named is None:
        local = Path(LOCAL_FILE)
        return local if local.is_file() else None
    if not Path(named).is_file():
        raise SettingsError(f"{FILE_VARIABLE} names {named}, which is not a file. Correct the path, or unset the variable.")
    return Path(named)


def known_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every key with a value of its own, dotted, in order; the keys of a list's entries are written `sources[].name`."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        section, entry = _section(field.annotation)
        if section:
            yield from known_keys(section, f"{key}{'[]' if entry else ''}.")
        if not section or entry:
            yield key


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model behind a field, and whether the field is a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    if get_origin(annotation) is tuple:
        return _section(get_args(annotation)[0])[0], True
    return None, False


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}. Correct it; app/settings.toml shows the form.") from error


def _refuse_unknown_names(what: str, names: list[str]) -> None:
    leaves = {key for key in known_keys() if "[]" not in key}
    sections = {key.split(".")[0] for key in leaves}
    known = {_PREFIX + key.replace(".", "__").upper() for key in leaves | sections} | {FILE_VARIABLE, SECRETS_VARIABLE}
    for name in sorted(names):
        if name.upper() not in known and not name.upper().startswith(f"{_PREFIX}{_KEYS_SECTION.upper()}__"):
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            raise SettingsError(f"The {what} {name} names no setting. Did you mean {nearest}?")


def _refuse_unknown_keys(path: Path, data: Mapping[str, Any]) -> None:
    keys = set(known_keys())
    sections = {key.split(".")[0] for key in keys if "." in key and "[]" not in key}
    known = keys | sections
    for key in _keys_of(data):
        if key in sections and not isinstance(data[key], Mapping):
            raise SettingsError(f"{path}: `{key}` is a section, not a value. Write [{key}], and its keys below it.")
        if key not in known and not key.startswith(("sources[].arguments.", f"{_KEYS_SECTION}.")):
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{path}: `{key}` is not a setting. Did you mean `{nearest}`?")


def _keys_of(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in data.items():
        yield prefix + name
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, Mapping):
                yield from _keys_of(entry, f"{prefix}{name}{'[]' if isinstance(value, list) else ''}.")


def _problem(location: tuple[int | str, ...], words: str) -> str:
    words = words.removeprefix("Value error, ")
    return f"`{'.'.join(str(part) for part in location)}`: {words}" if location else words


def _secrets_directory() -> str:
    return os.environ.get(SECRETS_VARIABLE, _SECRETS_DIR)
