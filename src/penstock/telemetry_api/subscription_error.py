"""Why a subscription is refused. Apart from what reads one, which takes long to import."""


class InvalidSubscription(ValueError):
    """What is wrong with a subscription, in one line, beginning as the service's own messages do."""
