"""What a stack says when its resources are made: outputs, exports and imports."""

from penstock.aws_api.cloudformation.engine.run import Run
from penstock.aws_api.cloudformation.exports import exporter, importers
from penstock.aws_api.cloudformation.reading.design import Design
from penstock.aws_api.cloudformation.records import Json
from penstock.model.errors import UserError


def finish(run: Run, design: Design) -> str | None:
    """Sets the stack's outputs, which the caller keeps together with its status; or says why it cannot."""
    try:
        outputs = design.outputs()
    except UserError as error:
        return error.message
    fault = _conflict(run, outputs)
    if fault is None:
        run.stack.outputs = outputs
        run.stack.imports = sorted(design.resolver.imported)
        run.stack.description = design.description
    return fault


def _conflict(run: Run, outputs: list[Json]) -> str | None:
    stacks = run.repository.stacks(run.stack.region)
    new = {item["export"]: item["value"] for item in outputs if "export" in item}
    for name in new:
        other = exporter(stacks, name)
        if other is not None and other.id != run.stack.id:
            return f"Export with name {name} is already exported by stack {other.name}."
    for name, value in ((item["export"], item["value"]) for item in run.stack.outputs if "export" in item):
        users = importers(stacks, name)
        if users and new.get(name) != value:
            verb = "update" if name in new else "delete"
            return f"Cannot {verb} export {name} as it is in use by {', '.join(item.name for item in users)}."
    return None
