"""The resource types there are."""

from typing import Final

from penstock.aws_api.cloudformation.handlers.access import EventInvokeConfigHandler, PermissionHandler, UrlHandler
from penstock.aws_api.cloudformation.handlers.base import Handler
from penstock.aws_api.cloudformation.handlers.capacity import CapacityProviderHandler, LayerVersionHandler
from penstock.aws_api.cloudformation.handlers.functions import FunctionHandler
from penstock.aws_api.cloudformation.handlers.handle import WaitConditionHandleHandler
from penstock.aws_api.cloudformation.handlers.iam import ManagedPolicyHandler, PolicyHandler, RoleHandler
from penstock.aws_api.cloudformation.handlers.logs import LogGroupHandler
from penstock.aws_api.cloudformation.handlers.s3 import BucketHandler, BucketPolicyHandler
from penstock.aws_api.cloudformation.handlers.versions import AliasHandler, VersionHandler

HANDLERS: Final[dict[str, Handler]] = {
    kind.type: kind()
    for kind in (
        AliasHandler,
        BucketHandler,
        BucketPolicyHandler,
        CapacityProviderHandler,
        EventInvokeConfigHandler,
        FunctionHandler,
        LayerVersionHandler,
        LogGroupHandler,
        ManagedPolicyHandler,
        PermissionHandler,
        PolicyHandler,
        RoleHandler,
        UrlHandler,
        VersionHandler,
        WaitConditionHandleHandler,
    )
}
