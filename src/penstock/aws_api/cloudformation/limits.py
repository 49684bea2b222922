"""Limits of CloudFormation, and how long its operations may take.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from typing import Final

TEMPLATE_BODY_BYTES: Final = 51_200
TEMPLATE_URL_BYTES: Final = 1024 * 1024
RESOURCES: Final = 500
PARAMETERS: Final = 200
OUTPUTS: Final = 200
MAPPINGS: Final = 200
PARAMETER_BYTES: Final = 4096
DESCRIPTION_BYTES: Final = 1024
TAGS: Final = 50
# Not published; AWS's default quota of stacks in a Region is the same number.
STACKS: Final = 2000
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (assumed; not published)
CHANGE_SETS_OF_A_STACK: Final = 1000

# A deleted stack is found by its ARN for 90 days.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html
DELETED_STACK_SECONDS: Final = 90 * 24 * 3600.0

# How many resources of one stack are worked on at once; assumed.
RESOURCES_AT_ONCE: Final = 10

# How long an answer waits for the operation it started. `sam` sleeps 15 seconds when its own stack for artifacts is not
# complete at the first look. Ours to choose.
HEAD_START_SECONDS: Final = 0.2
# Between two looks at a resource that is on its way; ours to choose.
LOOK_SECONDS: Final = 0.05
# How long a resource may be on its way: 36 hours is the longest a handler has.
# https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html (timeoutInMinutes, 2160)
# A version of a managed function has the time of Lambda's own waiter, 312 looks of 5 seconds.
# https://github.com/boto/botocore/blob/develop/botocore/data/lambda/2015-03-31/waiters-2.json (PublishedVersionActive)
STABLE_SECONDS: Final = 312 * 5.0

# Events kept of one stack; ours to choose. CloudFormation keeps those of 90 days.
EVENTS_KEPT: Final = 10_000
# Items in one page of an answer; AWS's pages hold up to 1 MB. Assumed.
PAGE: Final = 100
