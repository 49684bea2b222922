"""The template's Outputs, resolved once the Function URLs are known."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from penstock.model.errors import UserError
from penstock.model.function import Function
from penstock.template.intrinsics import Absent, Resolver, UnresolvableError, text_of
from penstock.template.physical import URL, Resources
from penstock.template.published import Published
from penstock.template.source import Source


@dataclass(frozen=True, slots=True)
class OutputReader:
    """`resolver_for` makes a resolver that knows the given URLs, by logical id of the Url resource."""

    source: Source
    resources: Resources
    resolver_for: Callable[[Mapping[str, str]], Resolver]

    def read(self, urls: Mapping[str, str]) -> dict[str, str]:
        """The value of every output that can be told here; `urls` by logical id of the function."""
        return self._read(urls)[0]

    def warnings(self, functions: Iterable[Function]) -> list[str]:
        """One line for each output that only a real account could tell. Raises UserError for a broken one."""
        urls = {function.logical_id: "http://localhost/" for function in functions if function.url}
        return [f"output {name} is left out: {reason}" for name, reason in self._read(urls)[1].items()]

    def _read(self, urls: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        resolver = self.resolver_for(self._by_url_resource(urls))
        values: dict[str, str] = {}
        left_out: dict[str, str] = {}
        for name in self.source.section("Outputs"):
            output = self.source.section("Outputs", name)
            condition = self.source.place("Outputs", name, "Condition")
            if "Condition" in output and not resolver.condition(output["Condition"], condition):
                continue
            try:
                values[name] = self._value(resolver, name)
            except UnresolvableError as error:
                left_out[name] = error.message
        return values, left_out

    def _value(self, resolver: Resolver, name: str) -> str:
        place = self.source.place("Outputs", name, "Value")
        value = resolver.resolve(self.source.get("Outputs", name, "Value"), place)
        text = None if isinstance(value, Absent) else text_of(value)
        if text is None:
            raise UserError(f"output {name}: Value must be text", place)
        return text

    def _by_url_resource(self, urls: Mapping[str, str]) -> dict[str, str]:
        published = Published(self.source, self.resources, self.resolver_for({}))
        owners = ((url_id, published.function_of_url(url_id)) for url_id in self.resources.of_type(URL))
        return {url_id: urls[owner] for url_id, owner in owners if owner is not None and owner in urls}
